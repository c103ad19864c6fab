"""rlft label"""

from __future__ import annotations

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Labeler
from rlft_tui.cli.session import Session
from rlft_tui.cli.workbench import open_workbench

app = noun("label")


@command(app, "rlft label", "rlft label --as anna", json=False)
def label(session: Session, labeler: Labeler = None) -> None:
    """Open the workbench on the Label screen."""
    open_workbench(session, screen="label", labeler=labeler)
