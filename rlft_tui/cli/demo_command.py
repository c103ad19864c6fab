"""rlft demo"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, write, write_raw
from rlft_tui.cli.workbench import has_terminal, open_workbench

app = noun("demo")


@command(app, "rlft demo", "rlft demo --headless --json")
def demo(
    session: Session,
    headless: Annotated[
        bool,
        typer.Option("--headless", help="Go round the loop by itself, print what was measured."),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Where the demo's workspaces lie [default: .demo]"),
    ] = None,
) -> None:
    """Open the workbench on a workspace with prompts, pairs and a model in it.

    With --headless, or without a terminal, it goes round the whole loop by itself in a
    fresh workspace (label, freeze, train, compare) and prints a table.
    """
    from rlft_tui.demo.workspace import DEFAULT_FOLDER, fresh_workspace, open_demo

    if session.remote is not None:
        session.own_workspace()  # says that this is not done for another machine
    place = folder or DEFAULT_FOLDER
    if headless or session.json or not has_terminal():
        from rlft_tui.demo.loop import as_json, as_table, run_loop
        from rlft_tui.models.pull import require_training_stack

        require_training_stack()
        workspace = fresh_workspace(place)
        result = run_loop(workspace, session.say)
        if session.json:
            write_raw(as_json(result) + "\n")
        else:
            write(as_table(result, workspace.root))
        return
    workspace = open_demo(place, session.say)
    try:
        open_workbench(Session(workspace.root))
    finally:
        session.say(f"The demo is kept. Back to it: {way_back(workspace.root)}")


def way_back(root: Path) -> str:
    """The command that opens a workspace from here, also where ``make`` left rlft off the PATH."""
    program = "rlft" if shutil.which("rlft") else os.path.relpath(sys.argv[0])
    return shlex.join([program, "-w", os.path.relpath(root)])
