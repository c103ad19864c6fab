"""Ranges and ticks of a chart's axes: round numbers that rarely move."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from rlft_tui.record import Record

LABEL = 8
"""Cells of a tick label: fixed, so that the canvas never shifts sideways."""

_SHRINK = 0.35
"""A range is kept until its values fill less than this share of it."""


class Axis(Record, frozen=True):
    """A range and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...] = ()
    """One a tick; empty where the ticks are labelled with plain numbers."""

    def share(self, value: float) -> float:
        """Where a value lies, 0 at ``low`` and 1 at ``high``; safe for huge ranges."""
        span = self.high / 2 - self.low / 2
        return (value / 2 - self.low / 2) / span if span else 0.5

    def shares(self, values: Sequence[float]) -> list[float]:
        """``share`` of each."""
        half, span = self.low / 2, self.high / 2 - self.low / 2
        return [(value / 2 - half) / span for value in values] if span else [0.5] * len(values)

    def holds(self, low: float, high: float) -> bool:
        """Whether the range suits values from ``low`` to ``high``: all in view, and not tiny."""
        if low < self.low or high > self.high:
            return False
        return high == low or (high / 2 - low / 2) >= _SHRINK * (self.high / 2 - self.low / 2)


class LogAxis(Axis, frozen=True):
    """A logarithmic range; both ends are above 0."""

    def share(self, value: float) -> float:
        span = math.log10(self.high) - math.log10(self.low)
        return (math.log10(value) - math.log10(self.low)) / span if value > 0 and span else 0.0

    def shares(self, values: Sequence[float]) -> list[float]:
        return [self.share(value) for value in values]

    def holds(self, low: float, high: float) -> bool:
        if low < self.low or high > self.high:
            return False
        return high == low or math.log10(high / low) >= _SHRINK * math.log10(self.high / self.low)


def log_axis(low: float, high: float, before: Axis | None, ticks: int = 4) -> Axis:
    """A range of whole decades, or of 1, 2 and 5 within few of them, around values above 0; values that
    are close to each other get the round numbers around them, as on any axis."""
    if isinstance(before, LogAxis) and before.holds(low, high):
        return before
    if high < 3 * low and (near := value_axis(low, high, None, ticks)).low > 0:
        return LogAxis(near.low, near.high, near.ticks)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    first, last = max(first, -307), min(last, 307)
    if last <= first:
        last = first + 1
    marks = [10.0**power for power in range(first, last + 1)]
    if len(marks) <= 3:
        fine = [part * mark for mark in marks for part in (1, 2, 5)]
        bottom = max((mark for mark in fine if mark <= low), default=marks[0])
        top = min((mark for mark in fine if mark >= high and mark > bottom), default=marks[-1])
        marks = [mark for mark in fine if bottom <= mark <= top]
    while len(marks) > max(3, ticks + 2):
        marks = [*marks[:-1:2], marks[-1]]
    return LogAxis(marks[0], marks[-1], tuple(marks))


def value_axis(low: float, high: float, before: Axis | None, ticks: int = 4) -> Axis:
    """A round range around finite values, or the one from before while that still suits."""
    if before is not None and not isinstance(before, LogAxis) and before.holds(low, high):
        return before
    if low == high:
        room = abs(low) * 0.1 or 1.0
        low, high = _clamped(low - room), _clamped(high + room)
    step = nice_step((high / 2 - low / 2) * 2 / max(1, ticks) if high / 2 - low / 2 < 8e307 else 4e307)
    if not step or not math.isfinite(low / step) or not math.isfinite(high / step):
        return Axis(low, high, (low, high))
    first, last = math.floor(low / step), math.ceil(high / step)
    # A value that is next to nothing beside the step vanishes in the division.
    bottom, top = min(low, _clamped(first * step)), max(high, _clamped(last * step))
    if not bottom < top:
        return Axis(low, high, (low, high)) if low < high else Axis(low - 1, low + 1, (low,))
    marks = tuple(_clamped(number * step) for number in range(first, last + 1)) if last - first < 50 else ()
    return Axis(bottom, top, marks or (bottom, top))


def step_axis(last: int, total: int, ticks: int = 5) -> Axis:
    """Steps from 0 to the run's total, or to a round number beyond the last while that is unknown."""
    top = max(total, last)
    if not total:
        size = 10.0 ** math.floor(math.log10(max(10, last)))
        top = next(int(size * part) for part in (1, 2, 5, 10, 20) if size * part >= max(10, last))
    step = max(1, int(nice_step(top / max(1, ticks))))
    marks = [number for number in range(0, top + 1, step) if number == 0 or top - number >= step * 0.6]
    return Axis(0, max(1, top), (*map(float, marks), float(max(1, top))))


_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def time_axis(low: float, high: float, ticks: int = 5, *, whole: bool = False) -> Axis:
    """Seconds, with ticks at round minutes, hours or days; ``whole`` rounds the end up to a tick."""
    rough = (high - low) / max(1, ticks)
    step: float = next((size for size in _TIMES if size >= rough), 0)
    if not step:
        step = nice_step(rough / 86400) * 86400
    if rough < 0.5:
        step = nice_step(rough) or 1.0
    if whole:
        high = max(math.ceil(high / step), 1) * step
    marks = [number * step for number in range(math.ceil(low / step), int(high // step + 1e-9) + 1)]
    return Axis(
        low, high, tuple(marks or (low, high)), tuple(time_label(mark) for mark in marks or (low, high))
    )


def time_label(seconds: float) -> str:
    """A time since the start: 0.5s, 40s, 5m, 1m30, 2h15, 3d."""
    if seconds < 60:
        return f"{seconds:g}s" if seconds else "0"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02d}" if whole % 60 else "")
    if whole < 86400:
        return f"{whole // 3600}h" + (f"{whole % 3600 // 60:02d}" if whole % 3600 >= 60 else "")
    return f"{whole // 86400}d" + (f"{whole % 86400 // 3600:02d}h" if whole % 86400 >= 3600 else "")


def window_axis(low: float, high: float, ticks: int = 5) -> Axis:
    """A zoomed range of steps."""
    step = max(1.0, nice_step((high - low) / max(1, ticks)))
    first = math.ceil(low / step)
    marks = tuple(number * step for number in range(first, int(high // step) + 1))
    return Axis(low, high, marks or (low, high))


def nice_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, at least ``rough``."""
    if not rough > 0 or not math.isfinite(rough):
        return 0.0
    power = 10.0 ** max(-307, math.floor(math.log10(rough)))
    return next(power * part for part in (1, 2, 5, 10) if power * part >= rough * (1 - 1e-9))


def tick_label(value: float, step: float) -> str:
    """A number short enough for the axis, with as many decimals as the steps need."""
    if value == 0:
        return "0"
    size = max(abs(value), abs(step))
    if size >= 1e6 or size < 1e-3:
        return _scientific(value)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
    text = f"{value:.{min(5, decimals)}f}"
    return text if len(text) < LABEL else _scientific(value)


def _scientific(value: float) -> str:
    for digits in (3, 2, 1):
        mantissa, _, power = f"{value:.{digits}g}".partition("e")
        text = f"{mantissa}e{int(power)}" if power else mantissa
        if len(text) < LABEL:
            return text
    return text


def step_label(value: float) -> str:
    """A step count: 500, 1.5k, 2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10 or (abs(value) >= size and value % (size / 10) == 0):
            return (
                f"{value / size:g}{letter}" if len(f"{value / size:g}") < 6 else f"{value / size:.1f}{letter}"
            )
    return f"{value:g}"


def short_number(value: float | None) -> str:
    """A metric's value in at most nine cells."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{value:.4g}"


def _clamped(value: float) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, value))
