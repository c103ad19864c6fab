"""What the score screen knows: which answer is up, what a key means, what may be pressed now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from rlft_tui.ids import new_id
from rlft_tui.labels.feedback import (
    FEEDBACK_KINDS,
    GUIDE,
    LIKERT_STEPS,
    Feedback,
    FeedbackKind,
    FeedbackProgress,
    ScoreItem,
    ScorePage,
    guide_word,
)

Phase = Literal["loading", "painting", "judging", "storing", "undoing", "finished"]
AHEAD = 3
"""Answers held beyond the one on screen."""
FINE_STEP = 0.05
_MOST_FINE = 0.05
KIND_WORDS: dict[FeedbackKind, str] = {
    "score": "0–9 score 0.0–0.9 · = scores 1.0 · + - then a digit: 0.05 more or less",
    "thumb": "1 thumb down · 2 thumb up",
    "likert": "1 very poor · 2 poor · 3 mediocre · 4 good · 5 excellent",
}


def guide_line() -> str:
    """What a score means, on one line."""
    return " · ".join(f"{low:g}–{high:g} {word}" for low, high, word in GUIDE)


def score_of(kind: FeedbackKind, key: str, fine: float = 0.0) -> float | None:
    """The score that a key gives (a digit, or ``=``); None when it means nothing."""
    if kind == "thumb":
        return {"1": 0.0, "2": 1.0}.get(key)
    if kind == "likert":
        steps = {str(n + 1): n / (LIKERT_STEPS - 1) for n in range(LIKERT_STEPS)}
        return steps.get(key)
    base = 1.0 if key == "=" else int(key) / 10 if key.isdigit() and len(key) == 1 else None
    return None if base is None else round(min(1.0, max(0.0, base + fine)), 2)


class ScoreSession:
    """One labeller's way through the answers. No Textual, so that each rule is tested by itself."""

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.labeler = labeler
        self.phase: Phase = "loading"
        self.kind: FeedbackKind = "score"
        self.current: ScoreItem | None = None
        self.former: Feedback | None = None
        """The score that an undo took back."""
        self.upcoming: list[ScoreItem] = []
        self.progress: FeedbackProgress | None = None
        self.note = ""
        self.fine = 0.0
        self.pending: Feedback | None = None
        self._now, self._make_id = now, make_id
        self._painted_at = 0.0
        self._done: set[str] = set()
        self._exhausted = False

    # the queue
    def held(self) -> tuple[str, ...]:
        """Keys of what need not be sent again: what is here, and what was passed over."""
        current = (self.current.key,) if self.current is not None else ()
        return (*current, *(item.key for item in self.upcoming), *sorted(self._done)[:180])

    def missing(self) -> int:
        """How many answers to ask for; 0 while there are enough, or no more to come."""
        return 0 if self._exhausted else max(0, AHEAD + (self.current is None) - len(self.upcoming))

    def receive(self, page: ScorePage) -> bool:
        """Take the next answers in. True when one of them is now to be shown."""
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
        self._exhausted = False

    def painted(self, at: float) -> None:
        """The answer is on screen since ``at``."""
        if self.phase == "painting":
            self.phase, self._painted_at = "judging", at

    # decisions
    def may_decide(self, at: float) -> bool:
        return self.current is not None and self.phase == "judging" and at >= self._painted_at

    def next_kind(self) -> None:
        """Score, thumb, Likert, and score again."""
        self.kind = FEEDBACK_KINDS[(FEEDBACK_KINDS.index(self.kind) + 1) % len(FEEDBACK_KINDS)]
        self.fine = 0.0

    def step(self, sign: int) -> None:
        """Make the next digit count 0.05 more or less; again: not at all, or the other way."""
        if self.kind == "score":
            self.fine = max(-_MOST_FINE, min(_MOST_FINE, round(self.fine + sign * FINE_STEP, 2)))

    def score(self, key: str, at: float) -> Feedback | None:
        """The score to store, or None when the key means nothing now."""
        value = score_of(self.kind, key, self.fine)
        if value is None or self.current is None or not self.may_decide(at):
            return None
        item = self.current
        self.pending = Feedback(
            id=self._make_id(),
            prompt=item.pair.prompt,
            response=item.response,
            score=value,
            kind=self.kind,
            labeler_id=self.labeler,
            example_id=item.pair.id,
            model=item.model,
            run_id=item.pair.source.removeprefix("run:") if item.pair.source.startswith("run:") else "",
            notes=self.note,
            created_at=self._now(),
        )
        self.phase = "storing"
        return self.pending

    def stored(self, progress: FeedbackProgress) -> None:
        """The pending score is durable: go on."""
        self.pending, self.progress = None, progress
        self._advance()

    def refused(self) -> None:
        """The pending score cannot be stored: the answer stays up."""
        self.pending = None
        self.phase = "judging" if self.current is not None else "finished"

    def skip(self, at: float) -> bool:
        """Pass the answer over for this session."""
        if not self.may_decide(at):
            return False
        self._advance()
        return True

    def _advance(self) -> None:
        self.note, self.fine, self.former = "", 0.0, None
        if self.current is not None:
            self._done.add(self.current.key)
        self.current = self.upcoming.pop(0) if self.upcoming else None
        if self.current is not None:
            self.phase = "painting"
        else:
            self.phase = "finished" if self._exhausted else "loading"

    # undo
    def begin_undo(self) -> bool:
        if self.phase not in ("judging", "finished"):
            return False
        self.phase = "undoing"
        return True

    def cancel_undo(self) -> None:
        if self.phase == "undoing":
            self.phase = "judging" if self.current is not None else "finished"

    def bring_back(self, item: ScoreItem, former: Feedback, progress: FeedbackProgress) -> None:
        """The score was taken back: its answer is up again, the one that was up waits behind it."""
        self.progress = progress
        self._done.discard(item.key)
        if self.current is not None and self.current.key != item.key:
            self.upcoming.insert(0, self.current)
        self.upcoming = [ahead for ahead in self.upcoming if ahead.key != item.key]
        self.current, self.former, self.note, self.fine = item, former, former.notes, 0.0
        self.phase = "painting"

    def status(self) -> str:
        """Where one stands, on one line."""
        parts: list[str] = []
        if self.fine:
            parts.append(f"next digit {self.fine:+.2f}")
        if self.former is not None:
            parts.append(f"taken back: {self.former.score:g} ({guide_word(self.former.score)})")
        if self.note:
            parts.append("with a note")
        if self.progress is not None:
            parts.append(f"{self.progress.scored:,} scored")
            parts.append(f"{self.progress.remaining:,} left")
            if self.progress.mean is not None and self.progress.std is not None:
                parts.append(f"mean {self.progress.mean:.2f} ± {self.progress.std:.2f}")
        return " · ".join(parts)
