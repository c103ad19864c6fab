"""Who labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labeler:
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
