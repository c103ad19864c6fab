"""rlft init"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.paths import SETTINGS_NAME, find_workspace

app = noun("init")


@command(app, "rlft init my-project")
def init(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make, or an existing one.")],
) -> None:
    """Make a workspace: a folder with rlft.toml in it, where everything else will lie."""
    if (folder / SETTINGS_NAME).exists():
        raise ConflictError(
            "already a workspace", where=str(folder), remedy=f"Open it: rlft --workspace {folder}"
        )
    if folder.exists() and not folder.is_dir():
        raise RlftError("not a folder", where=str(folder), remedy="Name a folder")
    outer = _outer_workspace(folder)
    from rlft_tui.config import create_workspace
    from rlft_tui.rewards.term_files import copy_terms

    workspace = create_workspace(folder)
    copy_terms(workspace.rewards)
    if outer is not None:
        session.say(f"Note: it lies inside another workspace, {outer}")
    session.show({"workspace": str(workspace.root)}, str(workspace.root))
    session.say(
        f"Next: cd {shlex.quote(str(folder))}, then rlft prompts import FILE or rlft pairs import FILE"
    )


def _outer_workspace(folder: Path) -> Path | None:
    try:
        return find_workspace(environment={}, start=folder.absolute().parent).root
    except NotFoundError:
        return None
