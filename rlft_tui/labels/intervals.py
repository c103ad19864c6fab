"""Shares and their intervals."""

from __future__ import annotations

import math

from rlft_tui.record import Record

Z95 = 1.959963984540054
"""Standard normal quantile at 97.5 %."""


class Share(Record, frozen=True):
    """So many of so many, with Wilson's 95 % interval; all as fractions of one."""

    count: int
    n: int
    rate: float | None
    """None when there is nothing to count."""
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out one half."""
        return self.n > 0 and not self.low <= 0.5 <= self.high


def share(count: int, n: int) -> Share:
    """``count`` of ``n``."""
    if n == 0:
        return Share(0, 0, None, 0.0, 1.0)
    low, high = wilson(count / n, n)
    return Share(count, n, count / n, low, high)


def wilson(mean: float, n: int) -> tuple[float, float]:
    """Wilson's (1927) 95 % interval of a mean of scores between 0 and 1.

    Unlike mean ± 1.96 standard errors it stays between 0 and 1 and does not shrink to
    nothing when all scores are the same.
    """
    spread = Z95 * Z95 / n
    centre = (mean + spread / 2) / (1 + spread)
    half = math.sqrt(spread * mean * (1 - mean) + spread * spread / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def logit(rate: float) -> float:
    """Log odds of a rate; ±infinity at the ends."""
    if rate <= 0:
        return -math.inf
    return math.inf if rate >= 1 else math.log(rate / (1 - rate))
