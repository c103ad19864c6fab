"""Rows that were chosen for a data set, and what was left out for which reason."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from rlft_tui.datasets.rows import Row
from rlft_tui.record import Record

TIE = "tie"
IDENTICAL = "identical answers"
EMPTY = "empty answer"
FLAGGED = "flagged"
LOW_CONFIDENCE = "low confidence"
CONTRADICTION = "contradiction"
"""Verdicts on a pair of which no side has the most."""
OVERRULED = "overruled"
"""Verdicts against the majority on their pair."""
UNJUDGED = "better answer without a verdict"
MEDIOCRE = "mediocre score"
"""Scores that neither say good nor bad."""
REPEATED = "repeated"
"""The same row once more."""

R = TypeVar("R", bound=Row)


class Selection(Record, Generic[R], frozen=True):
    """The rows of a data set before they are split."""

    rows: tuple[R, ...]
    left_out: dict[str, int]
    """Verdicts, scores and answers not used, by reason."""

    def __add__(self, other: Selection[R]) -> Selection[R]:
        left_out = Counter(self.left_out) + Counter(other.left_out)
        return Selection(self.rows + other.rows, dict(sorted(left_out.items())))
