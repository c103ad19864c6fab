"""rlft init"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.paths import SETTINGS_NAME, find_workspace

app = noun("init")


@command(app, "rlft init my-project", "rlft init occupations --example occupations")
def init(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make, or an existing one.")],
    example: Annotated[
        str,
        typer.Option("--example", metavar="NAME", help="Put an example's files into it: occupations."),
    ] = "",
) -> None:
    """Make a workspace: a folder with rlft.toml in it, where everything else will lie."""
    if (folder / SETTINGS_NAME).exists():
        raise ConflictError(
            "already a workspace", where=str(folder), remedy=f"Open it: rlft --workspace {folder}"
        )
    if folder.exists() and not folder.is_dir():
        raise RlftError("not a folder", where=str(folder), remedy="Name a folder")
    files = _example(example) if example else ()
    outer = _outer_workspace(folder)
    from rlft_tui.config import create_workspace
    from rlft_tui.rewards.term_files import copy_terms

    workspace = create_workspace(folder)
    copy_terms(workspace.rewards)
    for file in files:
        shutil.copyfile(file, workspace.root / file.name)
    if outer is not None:
        session.say(f"Note: it lies inside another workspace, {outer}")
    session.show({"workspace": str(workspace.root)}, str(workspace.root))
    then = "rlft prompts import FILE or rlft pairs import FILE"
    if files:
        session.say(f"In it: {', '.join(file.name for file in files)}")
        then = f"as the guide says, {example}.md"
    session.say(f"Next: cd {shlex.quote(str(folder))}, then {then}")


def _example(name: str) -> list[Path]:
    """The files of an example; RlftError names those there are."""
    from rlft_tui.paths import shipped

    examples = shipped("examples")
    known = sorted(folder.name for folder in examples.iterdir() if folder.is_dir())
    if name not in known:
        raise NotFoundError(
            f"no example {name!r}", where="--example", remedy=f"There are: {', '.join(known)}"
        )
    return sorted((examples / name).iterdir())


def _outer_workspace(folder: Path) -> Path | None:
    try:
        return find_workspace(environment={}, start=folder.absolute().parent).root
    except NotFoundError:
        return None
