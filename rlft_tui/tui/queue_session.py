"""What the score and the rank screen have in common: one thing up after another, stored before the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from rlft_tui.ids import new_id

Phase = Literal["loading", "painting", "judging", "storing", "undoing", "finished"]
_PASSED_OVER = 180
"""Keys of what was passed over that go along with a request."""


class Keyed(Protocol):
    """What can be put up."""

    @property
    def key(self) -> str: ...


ItemT = TypeVar("ItemT", bound=Keyed)
LabelT = TypeVar("LabelT")
ProgressT = TypeVar("ProgressT")
_SentT = TypeVar("_SentT", covariant=True)
_StandingT = TypeVar("_StandingT", covariant=True)


class QueuedPage(Protocol[_SentT, _StandingT]):
    """The next items, and where the labeller stands."""

    @property
    def items(self) -> Sequence[_SentT]: ...

    @property
    def progress(self) -> _StandingT: ...


class QueueSession(Generic[ItemT, LabelT, ProgressT]):
    """One labeller's way through a queue. No Textual, so that each rule is tested by itself."""

    AHEAD: ClassVar[int]
    """Items held beyond the one on screen."""

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.labeler = labeler
        self.phase: Phase = "loading"
        self.current: ItemT | None = None
        self.upcoming: list[ItemT] = []
        self.progress: ProgressT | None = None
        self.pending: LabelT | None = None
        """What is being stored."""
        self._now, self._make_id = now, make_id
        self._painted_at = 0.0
        self._done: set[str] = set()
        self._exhausted = False

    # the queue
    def held(self) -> tuple[str, ...]:
        """Keys of what need not be sent again: what is here, and what was passed over."""
        current = (self.current.key,) if self.current is not None else ()
        return (*current, *(item.key for item in self.upcoming), *sorted(self._done)[:_PASSED_OVER])

    def missing(self) -> int:
        """How many items to ask for; 0 while there are enough, or no more to come."""
        return 0 if self._exhausted else max(0, self.AHEAD + (self.current is None) - len(self.upcoming))

    def receive(self, page: QueuedPage[ItemT, ProgressT]) -> bool:
        """Take the next items in. True when one of them is now to be shown."""
        held = set(self.held()) | self._done
        fresh = [item for item in page.items if item.key not in held]
        self.upcoming += fresh
        self._exhausted = not fresh
        if self.pending is None:
            self.progress = page.progress
        if self.current is None and self.phase in ("loading", "finished"):
            self._advance()
            return self.current is not None
        return False

    def look_again(self) -> None:
        """Forget that the queue was exhausted: there may be more by now."""
        self._exhausted = False

    def painted(self, at: float) -> None:
        """The item is on screen since ``at``; keys pressed before that are not about it."""
        if self.phase == "painting":
            self.phase, self._painted_at = "judging", at

    # decisions
    def may_decide(self, at: float) -> bool:
        """Whether a key pressed at ``at`` can be about what is on screen."""
        return self.current is not None and self.phase == "judging" and at >= self._painted_at

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
    def begin_undo(self) -> bool:
        """Whether the last label can be taken back now."""
        if self.phase not in ("judging", "finished"):
            return False
        self.phase = "undoing"
        return True

    def cancel_undo(self) -> None:
        """There was nothing to take back."""
        if self.phase == "undoing":
            self.phase = "judging" if self.current is not None else "finished"

    def _put_back(self, item: ItemT, progress: ProgressT) -> None:
        """The item is up again, the one that was up waits behind it."""
        self.progress = progress
        self._done.discard(item.key)
        if self.current is not None and self.current.key != item.key:
            self.upcoming.insert(0, self.current)
        self.upcoming = [ahead for ahead in self.upcoming if ahead.key != item.key]
        self.current = item
        self.phase = "painting"
