"""How fast labelling goes, and whether it changes with the hours."""

from __future__ import annotations

import math

from rlft_tui.labels.intervals import Z95, Share
from rlft_tui.record import Record

BREAK_SECONDS = 1800.0
"""A longer gap between two verdicts ends a session."""
BINS: tuple[float, ...] = (0.0, 15.0, 30.0, 60.0, 120.0)
"""Minutes of work since the session began, at which the parts of a session begin."""
_ENOUGH = 20


class SessionPart(Record, frozen=True):
    """Verdicts given between two moments of their sessions."""

    from_minutes: float
    to_minutes: float | None
    verdicts: int
    median_seconds: float | None
    left: Share
    """Decided verdicts for the answer on the left."""
    repeats: Share
    """Hidden repeats judged as before; see ``SelfAgreement``."""


TREND_HOURS = 0.5
"""A change by the hour is not told from less work than this."""


class Trend(Record, frozen=True):
    """By how many percent the time a verdict takes changes with each hour of a session."""

    percent_per_hour: float
    ci95: tuple[float, float]


class Pace(Record, frozen=True):
    """The times of the verdicts that were given here; imported ones have none.

    Gaps of more than five minutes are breaks and no work; after half an hour a new session begins.
    """

    verdicts: int
    sessions: int
    active_hours: float
    per_hour: float | None
    """Over all work."""
    recent_per_hour: float | None
    """Over the last fifty verdicts of the labeller."""
    median_seconds: float | None
    slow_seconds: float | None
    """One verdict of ten takes longer."""
    remaining: int | None = None
    """Pairs that the labeller has not seen; None for everybody together."""
    seconds_left: float | None = None
    parts: tuple[SessionPart, ...] = ()
    trend: Trend | None = None
    """None before there are twenty verdicts and half an hour of work."""


def trend(n: int, slope: float | None, sxx: float | None, syy: float | None) -> Trend | None:
    """From the regression of the logarithm of seconds on hours: ordinary least squares.

    ``sxx`` and ``syy`` are the sums of squares of hours and of the logarithms about their means.
    """
    if n < _ENOUGH or slope is None or not sxx or syy is None:
        return None
    residual = max(0.0, syy - slope * slope * sxx) / (n - 2)
    half = Z95 * math.sqrt(residual / sxx)
    low, middle, high = (_percent(value) for value in (slope - half, slope, slope + half))
    return Trend(middle, (low, high))


def _percent(change: float) -> float:
    return 100 * math.expm1(min(change, 20.0))
