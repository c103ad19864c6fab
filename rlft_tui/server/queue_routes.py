"""The queue, and what it measures: gold pairs, hidden repeats, the orders' arms."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels import queue_table, reliability_table
from rlft_tui.labels.arm_saving import measured_arms
from rlft_tui.labels.queue_item import QueueItem, QueuePage
from rlft_tui.labels.queue_view import Order, QueueChoices, QueueView
from rlft_tui.labels.reliability import ArmReport, GoldAnswer, GoldPair, Reliability
from rlft_tui.pairs.pairs_table import pairs_by_ids
from rlft_tui.record import Record
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import ServicesOf

router = APIRouter()
_MOST_PAIRS = 200


class QueueRequest(Record, frozen=True):
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
    peek: bool = False
    """Only look: the labeller's view and what others are given stay as they are."""
    window: str = ""
    """Which of the labeller's windows asks; what another one holds comes last."""

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
def queue(services: ServicesOf, wanted: Sent[QueueRequest]) -> Response:
    if not wanted.labeler:
        raise RlftError("a queue needs a labeler")
    limit = max(0, min(wanted.limit, _MOST_PAIRS))
    slots, progress = services.labels.next_slots(
        wanted.labeler, wanted.view(), limit, wanted.exclude, peek=wanted.peek, window=wanted.window
    )
    with services.database.reader() as connection:
        pairs = {pair.id: pair for pair in pairs_by_ids(connection, [slot.example_id for slot in slots])}
    items = tuple(
        QueueItem(pairs[slot.example_id], slot.left, slot.arm, slot.source)
        for slot in slots
        if slot.example_id in pairs
    )
    return reply(QueuePage(items, progress))


@router.get("/queue/choices", response_model=QueueChoices)
def choices(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(queue_table.queue_choices(connection))


class GoldRequest(Record, frozen=True):
    """The right answer of a pair, empty to forget it, and who says so."""

    pair_id: str
    choice: Literal["a", "b", "tie", ""]
    labeler: str = ""


@router.post("/labels/gold")
def set_gold(services: ServicesOf, wanted: Sent[GoldRequest]) -> dict[str, Any]:
    services.labels.set_gold(GoldAnswer(new_id(), wanted.pair_id, wanted.labeler, wanted.choice))
    return {}


@router.get("/labels/gold", response_model=list[GoldPair])
def gold(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(reliability_table.list_gold(connection))


@router.get("/labels/reliability", response_model=list[Reliability])
def reliability(services: ServicesOf, labeler: str = "") -> Response:
    with services.database.reader() as connection:
        return reply(reliability_table.reliability(connection, labeler))


@router.get("/labels/arms", response_model=list[ArmReport])
def arms(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(measured_arms(connection))
