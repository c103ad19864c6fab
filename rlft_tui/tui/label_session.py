"""What the label screen knows: which pair is up, what was decided, what may be pressed now.

No Textual and no clock of its own, so that every rule here is tested without an event loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from rlft_tui.ids import new_id
from rlft_tui.labels.label_queue import slot_key
from rlft_tui.labels.preference import (
    STRENGTHS,
    BetterAnswer,
    Choice,
    HistoryEntry,
    LabelOperation,
    Mark,
    MarkKind,
    Preference,
    Progress,
    Quality,
    Recorded,
    Revocation,
    Side,
)
from rlft_tui.labels.queue_item import QueueItem
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.record import Record
from rlft_tui.tui.begun_answers import BegunAnswers
from rlft_tui.tui.queue_walk import QueueWalk

Place = Literal["left", "right", "tie"]

IDLE_SECONDS = 60.0
"""A gap without a key or a mouse movement counts as reading for at most this long."""


class ReadingClock:
    """Time spent on a pair: gaps between signs of life are capped, time in another window left out."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle = idle_seconds
        self._spent = 0.0
        self._last: float | None = None
        self._away = False

    def start(self, at: float) -> None:
        self._spent = 0.0
        self._last = at

    def touch(self, at: float) -> None:
        """A sign of life: what passed since the last one counts, up to the cap."""
        if self._last is not None and not self._away:
            self._spent += min(max(0.0, at - self._last), self._idle)
        self._last = at
        self._away = False

    def leave(self, at: float) -> None:
        """The terminal lost the focus: nothing counts until the next sign of life."""
        if not self._away:
            self.touch(at)
            self._away = True

    def milliseconds(self, at: float) -> int:
        self.touch(at)
        return round(self._spent * 1000)


class Shown(Record, frozen=True):
    """The pair on screen."""

    pair: ResponsePair
    left: Side
    former: Preference | Mark | None = None
    """What had been decided about it, when an undo brought it back."""
    arm: str = ""
    source: str = "human"
    """As in the QueueItem: stored with the verdict and never shown."""
    revising: bool = False
    """Whether ``former`` still stands, until another verdict takes its place."""

    @property
    def item(self) -> QueueItem:
        """As it came from the queue."""
        return QueueItem(self.pair, self.left, self.arm, self.source)

    @property
    def key(self) -> str:
        return self.item.key

    @property
    def left_text(self) -> str:
        return self.pair.response_a if self.left == "a" else self.pair.response_b

    @property
    def right_text(self) -> str:
        return self.pair.response_b if self.left == "a" else self.pair.response_a

    def place(self, choice: Choice) -> Place:
        """Where on screen a stored choice stands."""
        if choice == "tie":
            return "tie"
        return "left" if choice == self.left else "right"

    def choice(self, place: Place) -> Choice:
        """What is stored for a place on screen."""
        if place == "tie":
            return "tie"
        other: Side = "b" if self.left == "a" else "a"
        return self.left if place == "left" else other


class LabelSession(QueueWalk[QueueItem, Progress]):
    """One labeller's way through the queue. Every write is made by one method and ended by ``stored``."""

    AHEAD = 3
    current: Shown | None

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
        begun: BegunAnswers | None = None,
    ) -> None:
        super().__init__(labeler, now=now, make_id=make_id)
        self.confidence: int | None = None
        self.note = ""
        self.pending: LabelOperation | None = None
        """What is being stored now."""
        self.clock = ReadingClock()
        self.written: dict[str, str] = {}
        """Better answers stored from here, by pair."""
        self.begun = begun or BegunAnswers()
        """Better answers that were begun and left."""
        self._drafts: dict[str, tuple[int | None, str]] = {}
        """Confidence and note given to a pair that an undo moved out of the way, or that was skipped."""

    # the queue
    def change_queue(self, *, at_once: bool = False) -> None:
        """Other pairs are wanted next: those ahead are dropped, the one on screen stays.

        ``at_once``: it goes as well, unless its verdict is on the way; what was noted of it is kept.
        """
        self.upcoming = []
        self._exhausted = False
        self.progress = None  # of the other pairs
        if at_once and self.current is not None and self.pending is None:
            self._drafts[self.current.key] = (self.confidence, self.note)
            self.current, self.confidence, self.note = None, None, ""
        if self.current is None:
            self.phase = "loading"

    def painted(self, at: float) -> None:
        if self.phase == "painting":
            self.clock.start(at)
        super().painted(at)

    # decisions
    def judge(
        self, place: Place, at: float, *, strength: int | None = None, quality: Quality = ""
    ) -> Preference | None:
        """The verdict to store, or None when the key cannot be about this pair."""
        if self.current is None or not self.may_decide(at):
            return None
        verdict = Preference(
            id=self._make_id(),
            example_id=self.current.pair.id,
            labeler_id=self.labeler,
            choice=self.current.choice(place),
            shown_first=self.current.left,
            confidence=self.confidence,
            reasoning=self.note,
            time_spent_ms=self.clock.milliseconds(at),
            source=self.current.source,
            created_at=self._now(),
            arm=self.current.arm,
            strength=strength,
            quality=quality,
        )
        self._begin(verdict)
        return verdict

    def set_aside(self, kind: MarkKind, at: float) -> Mark | None:
        """The mark to store, or None when the key cannot be about this pair."""
        if self.current is None or not self.may_decide(at):
            return None
        mark = Mark(
            id=self._make_id(),
            example_id=self.current.pair.id,
            labeler_id=self.labeler,
            kind=kind,
            note=self.note,
            created_at=self._now(),
        )
        self._begin(mark)
        return mark

    def better_answer(self, pair_id: str, text: str) -> BetterAnswer:
        """What to store for an answer written to a pair; nothing waits for it."""
        return BetterAnswer(self._make_id(), pair_id, self.labeler, text.strip(), self._now())

    def _begin(self, operation: LabelOperation) -> None:
        self.pending = operation
        self.phase = "storing"

    def stored(self, progress: Progress) -> None:
        """The pending verdict or mark is durable: go on to the next pair."""
        operation, self.pending = self.pending, None
        self.progress = progress
        if isinstance(operation, Preference | Mark):
            key = self._key_of(operation)
            self._done.add(key)
            if isinstance(operation, Mark) and operation.kind == "skip":
                self._drafts[key] = (self.confidence, self.note)
            self._advance()

    def refused(self, *, keep: bool) -> None:
        """The pending operation cannot be stored. ``keep`` leaves the pair up, else the next one comes."""
        operation, self.pending = self.pending, None
        if keep or not isinstance(operation, Preference | Mark):
            self.phase = "judging" if self.current is not None else "finished"
        else:
            self._done.add(self._key_of(operation))
            self._advance()

    def _key_of(self, operation: Preference | Mark) -> str:
        """The key of the item that was decided: the one on screen, or else by what is stored."""
        if self.current is not None and self.current.pair.id == operation.example_id:
            return self.current.key
        return slot_key(operation.example_id, getattr(operation, "source", "human"))

    def _advance(self) -> None:
        self.confidence, self.note = None, ""
        if self.upcoming:
            item = self.upcoming.pop(0)
            self.current = Shown(item.pair, item.left, arm=item.arm, source=item.source)
            self.confidence, self.note = self._drafts.pop(item.key, (None, ""))
            self.phase = "painting"
            return
        self.current = None
        if not self._exhausted:
            self.phase = "loading"
        else:
            self.phase = "finished" if self._seen_any() else "empty"

    def _seen_any(self) -> bool:
        progress = self.progress
        return bool(self._done) or (
            progress is not None and progress.labelled + progress.skipped + progress.flagged > 0
        )

    # undo
    def take_back(self, target: Recorded) -> Revocation:
        """The revocation to store for an earlier operation."""
        revocation = Revocation(self._make_id(), target.id, self.labeler, created_at=self._now())
        self.pending = revocation
        return revocation

    def bring_back(self, item: QueueItem, former: Preference | Mark, progress: Progress) -> None:
        """The revocation is durable: its pair comes back on screen, the one that was up waits behind it."""
        self.pending = None
        self.progress = progress
        self._put_up(item, former, revising=False)

    def unwritten(self, answer: BetterAnswer, progress: Progress) -> None:
        """The revocation of a written answer is durable: its text is a draft again, no pair moves."""
        self.pending = None
        self.progress = progress
        self.written.pop(answer.example_id, None)
        self.begun.keep(answer.example_id, answer.text)
        self.cancel_undo()

    def revise(self, item: QueueItem, former: Preference | Mark | None, *, stands: bool) -> bool:
        """Put an earlier pair on screen; the one that was up waits behind it. False when busy."""
        if self.phase not in ("judging", "painting", "finished", "empty"):
            return False
        if self.current is not None and self.current.revising:
            self._advance()
        self._put_up(item, former, revising=stands)
        return True

    def leave_revision(self) -> bool:
        """Let the former verdict stand and go on. False when none is being revised."""
        if self.current is None or not self.current.revising or self.phase not in ("judging", "painting"):
            return False
        self._done.add(self.current.key)
        self._advance()
        return True

    def reopened(self, example_id: str) -> None:
        """What was decided about a pair was taken back elsewhere: the queue may bring it again."""
        self._done.discard(example_id)
        self._done.discard(slot_key(example_id, "repeat"))
        self._exhausted = False

    def _put_up(self, item: QueueItem, former: Preference | Mark | None, *, revising: bool) -> None:
        if isinstance(former, Preference):
            item = QueueItem(item.pair, former.shown_first, former.arm, former.source)
        self._done.discard(item.key)
        if self.current is not None and self.current.key != item.key:
            self.upcoming.insert(0, self.current.item)
            self._drafts[self.current.key] = (self.confidence, self.note)
        self.upcoming = [ahead for ahead in self.upcoming if ahead.key != item.key]
        self.current = Shown(item.pair, item.left, former, item.arm, item.source, revising)
        confidence, _ = self._drafts.pop(item.key, (None, ""))
        self.confidence = former.confidence if isinstance(former, Preference) else confidence
        if former is not None:
            self.note = former.reasoning if isinstance(former, Preference) else former.note
        else:
            self.note = ""
        self.phase = "painting"


def last_standing(history: tuple[HistoryEntry, ...]) -> Recorded | None:
    """The newest verdict, mark or written answer not taken back; ``history`` is newest first."""
    return next((entry.operation for entry in history if not entry.revoked), None)


def progress_line(progress: Progress | None) -> str:
    """Labelled, left, rate and time left, on one line."""
    if progress is None:
        return ""
    parts = [f"{progress.labelled:,} labelled", f"{progress.remaining:,} left"]
    if progress.skipped:
        parts.append(f"{progress.skipped:,} skipped")
    if progress.flagged:
        parts.append(f"{progress.flagged:,} flagged")
    if progress.per_hour is not None:
        parts.append(f"{progress.per_hour:,.0f}/h")
    if progress.seconds_left is not None and progress.remaining:
        parts.append(f"about {duration(progress.seconds_left)} to go")
    return " · ".join(parts)


def former_line(shown: Shown) -> str:
    """The verdict that an undo took back, in words of the screen."""
    former = shown.former
    if former is None:
        return ""
    start = "you said" if shown.revising else "taken back"
    if isinstance(former, Mark):
        return f"{start}: skipped" if former.kind == "skip" else f"{start}: flagged"
    line = f"{start}: {verdict_words(former)}"
    return f"{line}, confidence {former.confidence}" if former.confidence is not None else line


def verdict_words(verdict: Preference) -> str:
    """A verdict in words of the screen: ``left significantly better``, ``tie``, ``both bad``."""
    if verdict.choice == "tie":
        return verdict.quality.replace("_", " ") or "tie"
    side = "left" if verdict.choice == verdict.shown_first else "right"
    strength = STRENGTHS.get(verdict.strength or 3, "better")
    return f"{side} better" if strength == "better" else f"{side} {strength} better"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
