"""How fast a labeller is, from the times of their last verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

IDLE_SECONDS = 300.0
"""A longer gap between two verdicts is a break, not reading."""
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
    gaps = [later - earlier for earlier, later in pairwise(recent)]
    working = [gap for gap in gaps if 0.0 <= gap <= IDLE_SECONDS]
    seconds = sum(working)
    return 3600.0 * len(working) / seconds if seconds > 0 else None
