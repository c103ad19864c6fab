"""Which pairs a labeller wants to see, and in which order."""

from __future__ import annotations

from typing import Literal, get_args

from rlft_tui.errors import RlftError
from rlft_tui.record import Record

Order = Literal["random", "least", "oldest", "active", "ranking"]
Arm = Literal["", "random", "least", "oldest", "active", "ranking", "gold", "again"]
"""Why a pair was shown: the order that chose it, because its right answer is known, or after an
undo. Empty where no queue chose it. ``random`` within an active order is its control."""
ORDERS: dict[Order, str] = {
    "random": "random",
    "least": "least labelled first",
    "oldest": "oldest first",
    "active": "most informative for a reward model",
    "ranking": "most informative for ranking the models",
}
"""Every order, in words."""


class QueueView(Record, frozen=True):
    """Filters, order and sharing of one queue; the defaults are every pair, in random order."""

    category: str = ""
    models: tuple[str, ...] = ()
    """One name: a pair with that model on either side. Two: pairs between those two."""
    source: str = ""
    search: str = ""
    """In the prompt or an answer, whatever the case."""
    order: Order = "random"
    overlap: int = 0
    """How many labellers judge one pair; 0 for everybody."""
    repeats: bool = False
    """Whether pairs come back, hidden and with their sides swapped, to measure the labeller."""

    def checked(self) -> QueueView:
        """Itself; RlftError for what cannot be asked for."""
        if len(self.models) > 2:
            raise RlftError("a queue is filtered by one model or by two", remedy="Name at most two models")
        if self.order not in get_args(Order):
            raise RlftError(f"unknown order {self.order!r}", remedy=f"Orders: {', '.join(ORDERS)}")
        if self.overlap < 0:
            raise RlftError(f"the number of labellers a pair is {self.overlap}", remedy="Give 0 or more")
        return self

    @property
    def is_filtered(self) -> bool:
        return bool(self.category or self.models or self.source or self.search)

    def words(self) -> str:
        """What differs from every pair in random order, on one line; empty when nothing does."""
        parts = [self.category, " vs ".join(self.models)]
        parts += [f"from {self.source}"] if self.source else []
        parts += [f"“{self.search}”"] if self.search else []
        parts += [f"{self.overlap} a pair"] if self.overlap else []
        parts += [f"{self.order} order"] if self.order != "random" else []
        return " · ".join(part for part in parts if part)


class QueueChoices(Record, frozen=True):
    """What a queue can be filtered by, by name."""

    categories: tuple[str, ...]
    models: tuple[str, ...]
    sources: tuple[str, ...]
    cut: bool = False
    """Whether there are more than are named here."""
