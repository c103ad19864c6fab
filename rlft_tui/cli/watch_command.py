"""rlft runs watch: the workbench, open on the Monitor."""

from __future__ import annotations

from typing import Annotated

import typer

from rlft_tui.cli.command import command
from rlft_tui.cli.session import Session
from rlft_tui.cli.workbench import open_workbench, require_terminal
from rlft_tui.errors import NotFoundError
from rlft_tui.models.name_hint import name_hint


def watch(
    session: Session,
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="Run id [default: the newest, active ones first]")
    ] = "",
) -> None:
    """Open the workbench on the Monitor of a run: its curves, samples, output and alerts."""
    require_terminal()
    if session.remote is None:
        workspace, run_id = session.workspace(), session.whole_run_id(run_id)
        known = [path.name for path in workspace.runs.glob("[!.]*")]
        if run_id and run_id not in known:
            remedy = name_hint(run_id, known) if known else "There is none yet: rlft train dpo starts one"
            raise NotFoundError(f"no run {run_id!r}", remedy=remedy)
    open_workbench(session, screen="monitor", arguments={"run_id": run_id})


def add_watch_command(app: typer.Typer) -> None:
    """Put it among the verbs of runs."""
    command(app, "rlft runs watch", "rlft runs watch dpo-1129-1740-abcd", json=False)(watch)
