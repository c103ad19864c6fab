"""One metric of a run in memory, down-sampled to fixed power-of-two bins of steps.

A bin covers the steps ``n * size … (n + 1) * size - 1``, so that new points never
change the bins before the one they fall into. A point costs two appends; bins are
made when they are asked for, and then only for the points that came since. Points lie
in arrays, which numpy looks at in place; it is imported when it is first needed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from math import isfinite

from rlft_tui.runs.exit_reason import one_line
from rlft_tui.runs.run_status import Series

_BIN_SIZES_KEPT = 3


@dataclass(slots=True)
class _Bins:
    """Bins of one size, oldest first; only those that have points."""

    first: list[int] = field(default_factory=list)
    mean: list[float | None] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)
    nonfinite: list[int] = field(default_factory=list)
    begin: int = 0
    """Index of the first point of the last bin, which more points may still enter."""
    done: int = 0
    """Points in the bins."""

    def extend(self, steps: array[int], values: array[float], shift: int) -> None:
        """Take the points that came since; the last bin is made anew, all others stay."""
        total = len(steps)
        if self.done == total:
            return
        if self.first:
            for column in (self.first, self.mean, self.low, self.high, self.nonfinite):
                column.pop()
        import numpy as np

        fresh = np.frombuffer(values)[self.begin :]
        bins = np.frombuffer(steps, np.int64)[self.begin :] >> shift
        begins = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
        counts = np.diff(begins, append=len(bins))
        with np.errstate(all="ignore"):
            sums = np.add.reduceat(fresh, begins)
        made = len(self.first)
        self.first += (bins[begins] << shift).tolist()
        self.mean += (sums / counts).tolist()
        self.low += np.minimum.reduceat(fresh, begins).tolist()
        self.high += np.maximum.reduceat(fresh, begins).tolist()
        self.nonfinite += [0] * len(begins)
        # A NaN or infinity, or finite values too large to add up.
        for at in np.flatnonzero(~np.isfinite(sums)).tolist():
            begin = int(begins[at])
            self._correct(made + at, fresh[begin : begin + int(counts[at])].tolist())
        self.begin += int(begins[-1])
        self.done = total

    def _correct(self, at: int, values: list[float]) -> None:
        finite = [value for value in values if isfinite(value)]
        mean = sum(value / len(finite) for value in finite) if finite else None
        self.mean[at] = mean if mean is None or isfinite(mean) else min(finite) / 2 + max(finite) / 2
        self.low[at] = min(finite, default=None)
        self.high[at] = max(finite, default=None)
        self.nonfinite[at] = len(values) - len(finite)


class Curve:
    """Every point of one metric, by step."""

    __slots__ = ("_bins", "_rewind", "_sorted", "key", "steps", "unit", "values")

    def __init__(self, key: str) -> None:
        self.key = key
        self.unit = ""
        self.steps = array("q")
        self.values = array("d")
        self._rewind = False
        self._sorted = True
        self._bins: dict[int, _Bins] = {}

    def add(self, step: int, value: float) -> None:
        """One point. The first of a new attempt takes the place of all at or after its step."""
        if self._rewind:
            self._rewind = False
            self._forget_from(step)
        steps = self.steps
        if steps and step < steps[-1]:
            self._sorted = False
        steps.append(step)
        self.values.append(value)

    def extend(self, steps: array[int], values: array[float], *, rising: bool) -> None:
        """Many points, in the order in which they were logged; ``rising``: no step is lower than the last."""
        if not steps:
            return
        if self._rewind:
            self._rewind = False
            self._forget_from(steps[0])
        if not rising or (self.steps and steps[0] < self.steps[-1]):
            self._sorted = False
        self.steps.extend(steps)
        self.values.extend(values)

    def compact(self) -> None:
        """Give up the room that growing arrays keep in reserve."""
        self.steps, self.values = self.steps[:], self.values[:]

    def sort(self) -> None:
        """Bring points that were logged out of order to their place; called where order matters."""
        if self._sorted:
            return
        points = sorted(zip(self.steps, self.values, strict=True), key=lambda point: point[0])
        self.steps = array("q", [step for step, _ in points])
        self.values = array("d", [value for _, value in points])
        self._sorted = True
        self._bins.clear()

    def expect_rewind(self) -> None:
        """A new attempt begins: it may go over steps again."""
        self._rewind = True

    @property
    def awaits_rewind(self) -> bool:
        """Whether an attempt has begun that has not logged this yet."""
        return self._rewind

    def series(self, points: int, window: tuple[int, int] | None = None) -> Series:
        """At most ``points`` bins, of the smallest power-of-two size that surely allows it.

        ``window``: first and last step wanted; the bins just outside are added, so that lines
        run on to the edges.
        """
        self.sort()
        if window is None:
            shift = _shift(self.steps, points)
            bins = self._bins.pop(shift, None) or _Bins()
            bins.extend(self.steps, self.values, shift)
            self._bins[shift] = bins
            while len(self._bins) > _BIN_SIZES_KEPT:
                del self._bins[next(iter(self._bins))]
        else:
            shift, bins = self._inside(points, *window)
        return Series(
            key=one_line(self.key),
            unit=one_line(self.unit),
            bin=1 << shift,
            steps=list(bins.first),
            mean=list(bins.mean),
            low=list(bins.low),
            high=list(bins.high),
            nonfinite=list(bins.nonfinite),
            total=len(self.steps),
        )

    def _inside(self, points: int, low: int, high: int) -> tuple[int, _Bins]:
        """Bins of the steps from ``low`` to ``high`` alone."""
        steps = self.steps
        begin, end = bisect_left(steps, low), bisect_right(steps, high)
        shift = _shift(steps[begin:end], points)
        if begin:
            begin = bisect_left(steps, (steps[begin - 1] >> shift) << shift)
        if end < len(steps):
            end = bisect_left(steps, ((steps[end] >> shift) + 1) << shift)
        bins = _Bins()
        bins.extend(steps[begin:end], self.values[begin:end], shift)
        return shift, bins

    def _forget_from(self, step: int) -> None:
        self.sort()
        at = bisect_left(self.steps, step)
        if at < len(self.steps):
            del self.steps[at:]
            del self.values[at:]
            self._bins.clear()


def _shift(steps: array[int], points: int) -> int:
    """The smallest bin, as a power of two, with which these rising steps fill ``points`` bins at most."""
    if len(steps) <= points:
        return 0
    shift = 0
    while (steps[-1] >> shift) - (steps[0] >> shift) >= points:
        shift += 1
    return shift
