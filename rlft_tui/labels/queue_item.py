"""What a labeller is shown next."""

from __future__ import annotations

from rlft_tui.labels.label_queue import slot_key
from rlft_tui.labels.preference import Progress, Side
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.record import Record


class QueueItem(Record, frozen=True):
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


class QueuePage(Record, frozen=True):
    """The next pairs of a labeller and where they stand."""

    items: tuple[QueueItem, ...]
    progress: Progress
