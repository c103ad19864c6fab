"""rlft runs list|show|logs|follow|rm, and the verbs of run_control_commands"""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import RunId
from rlft_tui.cli.run_control_commands import add_run_control_commands
from rlft_tui.cli.session import Session, fields, moment, table, write
from rlft_tui.errors import RlftError

app = noun("runs")

_EVERY_POINT = 1_000_000
"""Bins at most: up to so many steps every value comes as it was logged."""


@command(app, "rlft runs list", "rlft runs list --json", name="list")
def list_(session: Session) -> None:
    """List the runs, newest first, with the place of those that wait in line."""
    from rlft_tui.cli.run_text import status_text

    with session.connect() as client:
        runs = client.runs()

    def text() -> str:
        rows = [
            (
                run.id,
                status_text(run),
                f"{run.step}/{run.steps or '?'}",
                run.metrics.get("loss"),
                moment(run.created),
                run.model,
            )
            for run in runs
        ]
        return table(("id", "status", "step", "loss", "created", "model"), rows)

    session.show(runs, text)
    if not runs:
        session.say("No runs yet. Start one: rlft train dpo --follow")


@command(
    app,
    "rlft runs show dpo-1129-1740-abcd",
    "rlft runs show dpo-1129-1740-abcd --series loss --json",
)
def show(
    session: Session,
    run_id: RunId,
    series: Annotated[
        str, typer.Option("--series", metavar="KEY", help="Add every value of one metric, by step.")
    ] = "",
) -> None:
    """Show one run: state, last and first metrics, how it ended."""
    import msgspec

    from rlft_tui.cli.estimate_text import outcome_fields
    from rlft_tui.cli.run_text import points, run_fields, run_json

    with session.connect() as client:
        run = client.run(run_id)
        curves = client.series(run_id, [series], points=_EVERY_POINT) if series else ()
        outcome = client.estimate(run_id)
    value: dict[str, Any] = run_json(run)
    if outcome is not None:
        value["estimate"] = msgspec.to_builtins(outcome)
    values = points(curves[0]) if curves else []
    if curves and curves[0].bin > 1:
        session.say(f"Each value is the mean over {curves[0].bin} steps")
    if series:
        value["series"] = values

    def text() -> str:
        if not series:
            return fields([*run_fields(run), *outcome_fields(outcome)])
        return table(("step", series), values)

    session.show(value, text)


@command(app, "rlft runs logs dpo-1129-1740-abcd", "rlft runs logs dpo-1129-1740-abcd --follow")
def logs(
    session: Session,
    run_id: RunId,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="Last lines only; 0 for all.")
    ] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
) -> None:
    """Print what a run wrote to its output, terminal escapes made visible."""
    from rlft_tui.runs.run_status import ACTIVE

    with session.connect() as client:
        active = client.run(run_id).status in ACTIVE
        text, end = "", 0
        while (page := client.log(run_id, start=end)).end > end:
            text, end = text + page.text, page.end
        if lines:
            text = "\n".join(text.splitlines()[-lines:]) + "\n"
        if session.json:
            session.show({"id": run_id, "text": text, "size": end}, "")
            return
        write(text, newline=not text.endswith("\n"))
        while follow and active:
            active = client.run(run_id).status in ACTIVE
            page = client.log(run_id, start=end)
            write(page.text, newline=False)
            end = page.end
            if active and not page.text:
                time.sleep(0.3)


@command(app, "rlft runs follow dpo-1129-1740-abcd")
def follow(session: Session, run_id: RunId) -> None:
    """Print a run's progress on stderr until it ends; the exit code is the run's (0 well, 1 failed)."""
    from rlft_tui.cli.run_progress import exit_code, follow_run
    from rlft_tui.cli.run_text import run_fields, run_json

    with session.connect() as client:
        run = follow_run(session, client, run_id)
    session.show(run_json(run), lambda: fields(run_fields(run)))
    raise typer.Exit(exit_code(run))


@command(app, "rlft runs rm dpo-1129-1740-abcd --yes")
def rm(
    session: Session,
    run_id: RunId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run: its folder with log, checkpoints and result."""
    with session.connect() as client:
        run = client.run(run_id)
        if not yes:
            if not sys.stdin.isatty():
                raise RlftError("nothing was deleted", where=run.id, remedy="Add --yes to delete it")
            session.say(f"{run.id}: {run.status}, step {run.step}, in {run.path}")
            if not typer.confirm("Delete it with its checkpoints and its model?", err=True):
                raise typer.Exit(1)
        client.delete_run(run.id)
    session.show({"deleted": run.id}, f"{run.id} deleted")


add_run_control_commands(app)
