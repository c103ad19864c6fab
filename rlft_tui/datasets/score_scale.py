"""What a score from 0 to 1 says of an answer, by the scoring guide."""

from __future__ import annotations

GOOD_SCORE = 0.7
"""From here on the scoring guide says good, so the answer is wanted."""
POOR_SCORE = 0.5
"""Below, it says poor: unwanted. What lies between is mediocre and says neither."""


def score_label(score: float) -> bool | None:
    """Whether an answer of that score is wanted; None for a mediocre one."""
    return True if score >= GOOD_SCORE else False if score < POOR_SCORE else None
