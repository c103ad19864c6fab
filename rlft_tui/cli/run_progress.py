"""Watching a run from the command line."""

from __future__ import annotations

import time
from collections.abc import Callable

import typer

from rlft_tui.cli.run_text import progress_line, run_json
from rlft_tui.cli.session import Session
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.runs.run_status import ACTIVE, RunSummary

_PAUSE = 0.5
"""Seconds between looks at the run."""


def finish_launch(session: Session, client: WorkspaceClient, run: RunSummary, *, follow: bool) -> None:
    """Print a launched run's id at once; with ``follow`` stay until it ends and take its exit code."""
    if not follow:
        session.show(run_json(run), run.id)
        waits = f"It waits ({run.stage}) and starts" if run.status == "queued" else "It runs"
        session.say(f"{waits} by itself. Watch it: rlft runs follow {run.id}")
        return
    if session.json:
        session.say(run.id)
    else:
        session.show(run.id, run.id)
    ended = follow_run(session, client, run.id)
    if session.json:
        session.show(run_json(ended), "")
    raise typer.Exit(exit_code(ended))


def exit_code(run: RunSummary) -> int:
    """Of a command that followed it: 0 for one that ended well or on request."""
    return 0 if run.status in ("finished", "stopped", "paused") else 1


def follow_run(
    session: Session,
    client: WorkspaceClient,
    run_id: str,
    *,
    show: Callable[[WorkspaceClient, RunSummary, str], None] | None = None,
) -> RunSummary:
    """Progress lines on stderr until the run has ended; its last state.

    ``show`` is given each line that is news in place of stderr.
    """
    said, warned = "", 0
    try:
        while True:
            run = client.run(run_id)
            line = progress_line(run)
            for alert in run.alerts[warned:]:
                session.say(f"warning: {alert.message}. {alert.advice}")
            warned = len(run.alerts)
            if run.status not in ACTIVE:
                break
            # The time left changes with every look; a line is news only for its other parts.
            news = line.rpartition("  ")[0] if line.endswith(" left") else line
            if news != said:
                if show is None:
                    session.say(line)
                else:
                    show(client, run, line)
                said = news
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        session.say(f"{run_id} goes on. Stop it: rlft runs stop {run_id}")
        raise
    reason = run.error or (run.exit.reason if run.exit else "")
    session.say(line + (f"  {reason}" if reason else ""))
    return run
