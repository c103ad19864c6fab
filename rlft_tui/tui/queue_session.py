"""What the score and the rank screen have in common: one thing up after another, stored before the next."""

from __future__ import annotations

from typing import Generic, TypeVar

from rlft_tui.tui.queue_walk import ItemT, ProgressT, QueueWalk

LabelT = TypeVar("LabelT")
_PASSED_OVER = 180
"""Keys of what was passed over that go along with a request."""


class QueueSession(QueueWalk[ItemT, ProgressT], Generic[ItemT, LabelT, ProgressT]):
    """Passing something over stores nothing and holds for this session."""

    current: ItemT | None
    pending: LabelT | None = None
    """What is being stored."""

    def held(self) -> tuple[str, ...]:
        """Keys of what need not be sent again: what is here, and what was passed over."""
        return (*super().held(), *sorted(self._done)[:_PASSED_OVER])

    # decisions
    def stored(self, progress: ProgressT) -> None:
        """What was pending is durable: go on."""
        self.pending, self.progress = None, progress
        self._advance()

    def refused(self) -> None:
        """What was pending cannot be stored: the item stays up."""
        self.pending = None
        self.phase = "judging" if self.current is not None else "finished"

    def skip(self, at: float) -> bool:
        """Pass the item over for this session."""
        if not self.may_decide(at):
            return False
        self._advance()
        return True

    def _advance(self) -> None:
        self._begin()
        if self.current is not None:
            self._done.add(self.current.key)
        self.current = self.upcoming.pop(0) if self.upcoming else None
        if self.current is not None:
            self.phase = "painting"
        else:
            self.phase = "finished" if self._exhausted else "loading"

    def _begin(self) -> None:
        """Forget what was said about the item before."""
        raise NotImplementedError

    # undo
    def _put_back(self, item: ItemT, progress: ProgressT) -> None:
        """The item is up again, the one that was up waits behind it."""
        self.progress = progress
        self._done.discard(item.key)
        if self.current is not None and self.current.key != item.key:
            self.upcoming.insert(0, self.current)
        self.upcoming = [ahead for ahead in self.upcoming if ahead.key != item.key]
        self.current = item
        self.phase = "painting"
