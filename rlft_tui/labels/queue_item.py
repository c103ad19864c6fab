"""What a labeller is shown next."""

from __future__ import annotations

from dataclasses import dataclass

from rlft_tui.labels.preference import Progress, Side
from rlft_tui.pairs.response_pair import ResponsePair


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A pair to be judged, with the side that goes on the left (random, the same each time)."""

    pair: ResponsePair
    left: Side


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The next pairs of a labeller and where they stand."""

    items: tuple[QueueItem, ...]
    progress: Progress
