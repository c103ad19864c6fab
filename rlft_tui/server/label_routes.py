"""The queue, verdicts, undo, history and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.errors import RlftError
from rlft_tui.labels import history_table, preferences_table
from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.label_stats_table import label_stats
from rlft_tui.labels.operation_codec import operation_from, plain_history_entry
from rlft_tui.labels.preference import BetterAnswer, HistoryEntry, Preference, Progress
from rlft_tui.labels.queue_item import QueueItem, QueuePage
from rlft_tui.labels.queue_view import Order, QueueView
from rlft_tui.pairs.pairs_table import pairs_by_ids
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()
_MOST_PAIRS = 200


@dataclass(frozen=True, slots=True)
class QueueRequest:
    """Whose queue, how many pairs of it, and which the client has already; then the view of it."""

    labeler: str
    limit: int = 5
    exclude: tuple[str, ...] = ()
    """Keys of items (QueueItem.key)."""
    category: str = ""
    models: tuple[str, ...] = ()
    source: str = ""
    search: str = ""
    order: Order = "random"
    overlap: int = 0
    repeats: bool = False

    def view(self) -> QueueView:
        return QueueView(
            category=self.category,
            models=tuple(self.models),
            source=self.source,
            search=self.search,
            order=self.order,
            overlap=self.overlap,
            repeats=self.repeats,
        ).checked()


@router.post("/queue", response_model=QueuePage)
def queue(services: ServicesOf, wanted: QueueRequest) -> Response:
    if not wanted.labeler:
        raise RlftError("a queue needs a labeler")
    limit = max(0, min(wanted.limit, _MOST_PAIRS))
    slots, progress = services.labels.next_slots(wanted.labeler, wanted.view(), limit, wanted.exclude)
    with services.database.reader() as connection:
        pairs = {pair.id: pair for pair in pairs_by_ids(connection, [slot.example_id for slot in slots])}
    items = tuple(
        QueueItem(pairs[slot.example_id], slot.left, slot.arm, slot.source)
        for slot in slots
        if slot.example_id in pairs
    )
    return reply(QueuePage(items, progress))


@router.post("/labels", response_model=Progress)
def add_label(services: ServicesOf, content: Content) -> Response:
    return reply(services.labels.add(operation_from(decode(content, dict[str, Any]))))


@router.get("/labels/history", response_model=list[HistoryEntry])
def history(
    services: ServicesOf,
    labeler: str,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    search: str = "",
    only: str = "",
) -> Response:
    with services.database.reader() as connection:
        entries = history_table.list_history(
            connection, labeler, limit, offset=offset, search=search, only=only
        )
    return reply([plain_history_entry(entry) for entry in entries])


@router.get("/labels/written", response_model=list[BetterAnswer])
def written(
    services: ServicesOf,
    labeler: str = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000_000)] = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(history_table.list_written(connection, labeler, offset, limit))


@router.get("/labels", response_model=list[Preference])
def labels(
    services: ServicesOf,
    labeler: str = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000_000)] = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(preferences_table.list_current(connection, labeler, offset, limit))


@router.get("/labels/stats", response_model=LabelStats)
def stats(services: ServicesOf, labeler: str = "") -> Response:
    return reply(services.statistics.answer("labels", labeler, lambda db: label_stats(db, labeler)))
