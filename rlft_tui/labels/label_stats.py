"""Counts over the current verdicts."""

from __future__ import annotations

from msgspec import field

from rlft_tui.record import Record


class LabelStats(Record, frozen=True):
    """Counts over the current verdicts."""

    total: int
    by_choice: dict[str, int]
    by_labeler: dict[str, int]
    by_day: dict[str, int]
    skipped: int
    flagged: int
    revoked: int
    left_rate: float | None
    """Share of decided verdicts for the side shown on the left."""
    longer_rate: float | None
    """Share of decided verdicts for the longer answer, in characters."""
    median_seconds: float | None
    by_strength: dict[str, int] = field(default_factory=dict)
    """Verdicts given with a strength, by its name, weakest first."""
    by_quality: dict[str, int] = field(default_factory=dict)
    """Ties that say both_good or both_bad."""
    written: int = 0
    """Better answers that stand."""
