"""What the score screen knows: which answer is up, what a key means, what may be pressed now."""

from __future__ import annotations

import time
from collections.abc import Callable

from rlft_tui.ids import new_id
from rlft_tui.labels.feedback import (
    FEEDBACK_KINDS,
    GUIDE,
    LIKERT_STEPS,
    Feedback,
    FeedbackKind,
    FeedbackProgress,
    ScoreItem,
    guide_word,
)
from rlft_tui.tui.queue_session import QueueSession

FINE_STEP = 0.05
_MOST_FINE = 0.05
KIND_WORDS: dict[FeedbackKind, str] = {
    "score": "0–9 score 0.0–0.9 · = scores 1.0 · + - then a digit: 0.05 more or less",
    "thumb": "1 thumb down · 2 thumb up",
    "likert": "1 very poor · 2 poor · 3 mediocre · 4 good · 5 excellent",
}


def guide_line() -> str:
    """What a score means, on one line."""
    *steps, last = GUIDE
    return "from " + " · ".join([*(f"{low:g} {word}" for low, _, word in steps), f"below: {last[2]}"])


def score_of(kind: FeedbackKind, key: str, fine: float = 0.0) -> float | None:
    """The score that a key gives (a digit, or ``=``); None when it means nothing."""
    if kind == "thumb":
        return {"1": 0.0, "2": 1.0}.get(key)
    if kind == "likert":
        steps = {str(n + 1): n / (LIKERT_STEPS - 1) for n in range(LIKERT_STEPS)}
        return steps.get(key)
    base = 1.0 if key == "=" else int(key) / 10 if key.isdigit() and len(key) == 1 else None
    return None if base is None else round(min(1.0, max(0.0, base + fine)), 2)


class ScoreSession(QueueSession[ScoreItem, Feedback, FeedbackProgress]):
    """One labeller's way through the answers."""

    AHEAD = 3

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        super().__init__(labeler, now=now, make_id=make_id)
        self.kind: FeedbackKind = "score"
        self.former: Feedback | None = None
        """The score that an undo took back."""
        self.note = ""
        self.fine = 0.0

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

    def _begin(self) -> None:
        self.note, self.fine, self.former = "", 0.0, None

    def bring_back(self, item: ScoreItem, former: Feedback, progress: FeedbackProgress) -> None:
        """The score was taken back: its answer is up again, the one that was up waits behind it."""
        self._put_back(item, progress)
        self.former, self.note, self.fine = former, former.notes, 0.0

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
