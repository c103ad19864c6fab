"""What a labeller is shown next."""

from __future__ import annotations

from dataclasses import dataclass

from rlft_tui.labels.label_queue import slot_key
from rlft_tui.labels.preference import Progress, Side
from rlft_tui.pairs.response_pair import ResponsePair


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A pair to be judged, with the side that goes on the left (random, the same each time)."""

    pair: ResponsePair
    left: Side
    arm: str = ""
    """Why it is shown, to be stored with its verdict (see queue_view.Arm)."""
    source: str = "human"
    """Source of its verdict: ``repeat`` when the pair comes back hidden, which nobody is told."""

    @property
    def key(self) -> str:
        """Tells it from another showing of the same pair; goes into a request's ``exclude``."""
        return slot_key(self.pair.id, self.source)


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The next pairs of a labeller and where they stand."""

    items: tuple[QueueItem, ...]
    progress: Progress
