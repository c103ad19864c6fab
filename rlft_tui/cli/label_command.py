"""rlft label"""

from __future__ import annotations

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Category, Labeler, Search
from rlft_tui.cli.queue_commands import (
    ModelFlag,
    OrderFlag,
    OrderName,
    OverlapFlag,
    SourceFlag,
    queue_view,
)
from rlft_tui.cli.session import Session
from rlft_tui.cli.workbench import open_workbench, require_terminal

app = noun("label")


@command(
    app,
    "rlft label",
    "rlft label --as anna",
    "rlft label --order active --category code",
    "rlft label --model base --model tuned",
    json=False,
)
def label(
    session: Session,
    labeler: Labeler = None,
    order: OrderFlag = OrderName.RANDOM,
    category: Category = "",
    model: ModelFlag = None,
    source: SourceFlag = "",
    search: Search = "",
    overlap: OverlapFlag = None,
) -> None:
    """Open the workbench on the Label screen; o changes there which pairs come, and in which order."""
    require_terminal()
    view = queue_view(session, order, category, model, source, search, overlap)
    open_workbench(session, screen="label", labeler=labeler, view=view)
