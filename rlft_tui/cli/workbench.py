"""Opening the workbench from a command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from rlft_tui.cli.session import Session
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.labels.queue_view import QueueView


def has_terminal() -> bool:
    """Whether a person can see the screen and type, here or in a browser (see web/)."""
    return (sys.stdin.isatty() and sys.stdout.isatty()) or "web_driver" in os.environ.get(
        "TEXTUAL_DRIVER", ""
    )


def require_terminal() -> None:
    """RlftError where the workbench could not be seen."""
    if not has_terminal():
        raise RlftError(
            "the workbench needs a terminal",
            where="rlft",
            remedy="Run it in one, or use a command: rlft --help lists them",
        )


def open_workbench(
    session: Session,
    *,
    screen: str = "home",
    labeler: str | None = None,
    view: QueueView | None = None,
    arguments: dict[str, Any] | None = None,
) -> None:
    """Run the workbench until it is left, starting on one of its screens and with this queue.

    ``arguments`` are what that screen is to show.
    """
    require_terminal()
    workspace = session.workspace()
    name = session.labeler(labeler)
    if session.remote is not None:
        # A wrong address or token is said here, in one line, before the screen is taken.
        session.connect().close()
    from rlft_tui.tui.app import run_app

    raise typer.Exit(run_app(workspace, screen, name, session.remote, view=view, arguments=arguments))
