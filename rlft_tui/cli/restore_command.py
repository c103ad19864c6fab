"""rlft restore"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, find_server, moment, table
from rlft_tui.errors import ConflictError, NotFoundError
from rlft_tui.paths import Workspace

app = noun("restore")

_PATIENCE = 20.0
"""Seconds to wait for a server that is ending to let go of the database."""


@command(
    app,
    "rlft restore --list",
    "rlft restore latest",
    "rlft restore my-project/backups/20261129T174512Z",
)
def restore(
    session: Session,
    backup: Annotated[
        str, typer.Argument(metavar="[BACKUP]", help="Folder of a backup, its name in backups/, or latest.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the backups instead.")] = False,
    forget: Annotated[
        bool,
        typer.Option("--forget-later-verdicts", help="Do not bring back verdicts given after the backup."),
    ] = False,
) -> None:
    """Put a backup back in place of the workspace's data: prompts, pairs, verdicts, data sets, models.

    The server is ended first; the next command starts it again. What was there before is
    moved to a folder in backups/ whose path is printed. Verdicts given after the backup are
    in the journal and come back at the next start, unless told otherwise. Runs are not touched.
    """
    from rlft_tui.database.backup import list_backups

    workspace = session.own_workspace()
    if list_ or not backup:
        found = list_backups(workspace)
        session.show(
            found,
            lambda: table(
                ("backup", "made", "pairs", "verdicts, with undone"),
                [
                    (b.path, moment(b.created_at), b.rows.get("examples"), b.rows.get("preferences"))
                    for b in found
                ],
            ),
        )
        if not found:
            session.say("No backups yet. Make one: rlft backup")
        elif not list_:
            session.say("Name one: rlft restore BACKUP")
        return
    path = _find(workspace, backup)
    aside = _restore(workspace, path, keep_journal=not forget)
    session.show({"restored": str(path), "replaced": str(aside)}, str(path))
    session.say(f"Restored. What was there before is in {aside}")


def _find(workspace: Workspace, backup: str) -> Path:
    from rlft_tui.database.backup import list_backups

    if backup == "latest":
        found = list_backups(workspace)
        if not found:
            raise NotFoundError(
                "no backups yet", where=str(workspace.backups), remedy="Make one: rlft backup"
            )
        return found[0].path
    here = Path(backup)
    return here if here.exists() else workspace.backups / backup


def _restore(workspace: Workspace, path: Path, *, keep_journal: bool) -> Path:
    """Restore as soon as no server holds the database; a workbench elsewhere may start one again."""
    from rlft_tui.database.backup import MANIFEST, restore_backup

    if not (path / MANIFEST).is_file():
        raise NotFoundError("no backup here", where=str(path), remedy="rlft restore --list shows them")
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = find_server(workspace)
        if found is not None:
            with found[0] as client:
                client.shutdown()
        try:
            return restore_backup(path, workspace, keep_journal=keep_journal)
        except ConflictError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
