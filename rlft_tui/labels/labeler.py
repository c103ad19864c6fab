"""Who labels."""

from __future__ import annotations

from rlft_tui.record import Record

JUDGE_PREFIX = "judge:"
"""How the names of models that judge begin; every other name is taken for a person's."""


def is_judge(labeler: str) -> bool:
    """Whether a verdict of this labeller was given by a model."""
    return labeler.startswith(JUDGE_PREFIX)


class Labeler(Record, frozen=True):
    """One labeller, and how many labels of theirs stand. Times are unix seconds."""

    name: str
    first_seen: float
    last_seen: float
    """When the last label that stands was given."""
    verdicts: int
    marks: int
    """Pairs skipped or flagged."""
    written: int
    """Better answers."""
    scores: int
    rankings: int
