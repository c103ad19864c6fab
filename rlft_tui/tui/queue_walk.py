"""One labeller's way through a queue: what is up, what comes next, when a key can be about it."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from rlft_tui.ids import new_id

Phase = Literal["loading", "painting", "judging", "storing", "undoing", "finished", "empty"]
"""judging is the only phase in which a key decides anything; finished and empty have nothing up."""


class Keyed(Protocol):
    """What can be put up."""

    @property
    def key(self) -> str: ...


ItemT = TypeVar("ItemT", bound=Keyed)
ProgressT = TypeVar("ProgressT")
_SentT = TypeVar("_SentT", covariant=True)
_StandingT = TypeVar("_StandingT", covariant=True)


class QueuedPage(Protocol[_SentT, _StandingT]):
    """The next items, and where the labeller stands."""

    @property
    def items(self) -> Sequence[_SentT]: ...

    @property
    def progress(self) -> _StandingT: ...


class QueueWalk(Generic[ItemT, ProgressT]):
    """What Label, Score and Rank have in common. No Textual and no clock of its own, so that every rule
    is tested without an event loop."""

    AHEAD: ClassVar[int]
    """Items held beyond the one on screen."""
    current: Keyed | None

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.labeler = labeler
        self.phase: Phase = "loading"
        self.current = None
        self.upcoming: list[ItemT] = []
        self.progress: ProgressT | None = None
        self._now, self._make_id = now, make_id
        self._painted_at = 0.0
        self._done: set[str] = set()
        """Keys of what was decided or passed over."""
        self._exhausted = False

    def held(self) -> tuple[str, ...]:
        """Keys of the items on screen and ahead, which the server need not send again."""
        current = (self.current.key,) if self.current is not None else ()
        return (*current, *(item.key for item in self.upcoming))

    def missing(self) -> int:
        """How many items to ask for; 0 while there are enough, or no more to come."""
        return 0 if self._exhausted else max(0, self.AHEAD + (self.current is None) - len(self.upcoming))

    def receive(self, page: QueuedPage[ItemT, ProgressT]) -> bool:
        """Take the next items in. True when one of them is now to be shown."""
        held = set(self.held()) | self._done
        fresh = [item for item in page.items if item.key not in held]
        self.upcoming += fresh
        self._exhausted = not fresh
        waiting = self.phase in ("loading", "finished", "empty")
        if self.progress is None or waiting:  # else what came with the last write is newer
            self.progress = page.progress
        if self.current is None and waiting:
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

    def may_decide(self, at: float) -> bool:
        """Whether a key pressed at ``at`` can be about what is on screen."""
        return self.current is not None and self.phase == "judging" and at >= self._painted_at

    @abstractmethod
    def _advance(self) -> None:
        """Put the next item up, or say that there is none."""

    def begin_undo(self) -> bool:
        """Whether something can be taken back now; nothing may be decided until that has ended."""
        if self.phase not in ("judging", "finished", "empty"):
            return False
        self.phase = "undoing"
        return True

    def cancel_undo(self) -> None:
        """There was nothing to take back."""
        if self.phase == "undoing":
            self.phase = "judging" if self.current is not None else "finished"
