"""How fast a labeller is, from the times of their last verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

IDLE_SECONDS = 300.0
"""A longer gap between two verdicts is a break, not reading."""
SHORT_SECONDS = 60.0
"""A gap up to this is never taken for a break."""
_UNUSUAL = 5
"""A gap between the two that is more than so many times the usual one is a break as well."""
VERDICTS = 50
"""How many recent verdicts count."""
_ENOUGH = 5


def verdicts_per_hour(times: Sequence[float]) -> float | None:
    """The rate over the last verdicts, breaks left out; None before there are five.

    ``times``: unix seconds, oldest first.
    """
    recent = list(times)[-VERDICTS:]
    if len(recent) < _ENOUGH:
        return None
    gaps = sorted(gap for earlier, later in pairwise(recent) if (gap := later - earlier) >= 0.0)
    # Who takes two seconds a verdict was elsewhere during two minutes, say at the curves of a run.
    longest = max(SHORT_SECONDS, _UNUSUAL * gaps[len(gaps) // 2]) if gaps else 0.0
    working = [gap for gap in gaps if gap <= min(IDLE_SECONDS, longest)]
    seconds = sum(working)
    return 3600.0 * len(working) / seconds if seconds > 0 else None
