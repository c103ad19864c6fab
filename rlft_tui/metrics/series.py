"""The curves of one run in memory, down-sampled to fixed power-of-two bins of steps.

A bin covers the steps ``n * size … (n + 1) * size - 1``, so that new points never
change the bins before the one they fall into. A point costs two appends; bins are
made when they are asked for, and then only for the points that came since.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.runs.exit_reason import one_line
from rlft_tui.runs.run_event import RunEvent, number
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
        begin = self.begin
        while begin < total:
            bin_start = (steps[begin] >> shift) << shift
            end = bisect_left(steps, bin_start + (1 << shift), begin + 1)
            self._append(bin_start, values[begin:end])
            self.begin = begin
            begin = end
        self.done = total

    def _append(self, first: int, values: array[float]) -> None:
        total = sum(values)
        count = len(values)
        if not isfinite(total):
            # A NaN or infinity, or finite values too large to add up.
            finite = [value for value in values if isfinite(value)]
            values = array("d", finite)
            total = sum(value / len(finite) for value in finite) * len(finite) if finite else 0.0
        self.first.append(first)
        self.mean.append(total / len(values) if values and isfinite(total) else _middle(values))
        self.low.append(min(values) if values else None)
        self.high.append(max(values) if values else None)
        self.nonfinite.append(count - len(values))


class Curve:
    """Every point of one metric, by step."""

    __slots__ = ("_bins", "_rewind", "key", "steps", "unit", "values")

    def __init__(self, key: str) -> None:
        self.key = key
        self.unit = ""
        self.steps = array("q")
        self.values = array("d")
        self._rewind = False
        self._bins: dict[int, _Bins] = {}

    def add(self, step: int, value: float) -> None:
        """One point. The first of a new attempt takes the place of all at or after its step."""
        steps = self.steps
        if self._rewind:
            self._rewind = False
            self._forget_from(step)
        if not steps or step >= steps[-1]:
            steps.append(step)
            self.values.append(value)
            return
        at = bisect_right(steps, step)
        steps.insert(at, step)
        self.values.insert(at, value)
        self._bins.clear()

    def expect_rewind(self) -> None:
        """A new attempt begins: it may go over steps again."""
        self._rewind = True

    def series(self, points: int) -> Series:
        """At most ``points`` bins, of the smallest power-of-two size that surely allows it."""
        shift = self._shift(points)
        bins = self._bins.pop(shift, None) or _Bins()
        bins.extend(self.steps, self.values, shift)
        self._bins[shift] = bins
        while len(self._bins) > _BIN_SIZES_KEPT:
            del self._bins[next(iter(self._bins))]
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

    def _shift(self, points: int) -> int:
        steps = self.steps
        if len(steps) <= points:
            return 0
        shift = 0
        while (steps[-1] >> shift) - (steps[0] >> shift) >= points:
            shift += 1
        return shift

    def _forget_from(self, step: int) -> None:
        at = bisect_left(self.steps, step)
        if at < len(self.steps):
            del self.steps[at:]
            del self.values[at:]
            self._bins.clear()


class RunCurves:
    """All curves of one run, built from its events."""

    def __init__(self) -> None:
        self._curves: dict[str, Curve] = {}

    def all(self) -> tuple[Curve, ...]:
        """In the order in which they were first logged."""
        return tuple(self._curves.values())

    def restore(self, curves: Sequence[Curve]) -> None:
        """Take curves that were kept elsewhere in place of all others."""
        self._curves = {curve.key: curve for curve in curves}

    def reset(self) -> None:
        """Forget all, for a log that is read again from its top."""
        self._curves.clear()

    def apply(self, event: RunEvent) -> None:
        """Take the numbers of a ``metrics`` event; a ``start`` begins a new attempt."""
        if event.kind == "metrics":
            fields = event.fields
            step = fields.get("step")
            values = fields.get("values")
            if type(step) is int and -(2**62) < step < 2**62 and type(values) is dict:
                curves = self._curves
                for key, value in values.items():
                    logged = value if type(value) is float else number(value)
                    if logged is not None:
                        curve = curves.get(key) or curves.setdefault(key, Curve(key))
                        curve.add(step, logged)
                units = fields.get("units")
                if type(units) is dict and units:
                    self._name_units(units)
        elif event.kind == "start":
            for curve in self._curves.values():
                curve.expect_rewind()

    def series(self, keys: Sequence[str], points: int) -> tuple[Series, ...]:
        """The curves with these keys (all of them for none); ``/…/`` selects by regular expression.

        NotFoundError for a key that the run has not logged.
        """
        return tuple(self._curves[key].series(points) for key in self._select(keys))

    def _select(self, keys: Sequence[str]) -> list[str]:
        if not keys:
            return list(self._curves)
        selected: dict[str, None] = {}
        for key in keys:
            if key in self._curves:
                selected[key] = None
            elif len(key) > 2 and key[0] == key[-1] == "/":
                selected.update(dict.fromkeys(self._matching(key[1:-1])))
            else:
                near = get_close_matches(key, self._curves, n=1)
                logged = ", ".join(sorted(self._curves)) or "none yet"
                raise NotFoundError(
                    f"no metric {key!r}", remedy=f"Did you mean {near[0]}?" if near else f"Logged: {logged}"
                )
        return list(selected)

    def _matching(self, pattern: str) -> list[str]:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise RlftError(f"not a regular expression: {error}", where=pattern) from None
        return [key for key in self._curves if expression.search(key)]

    def _name_units(self, units: dict[str, object]) -> None:
        for key, unit in units.items():
            if key in self._curves:
                self._curves[key].unit = str(unit)


def _middle(values: array[float]) -> float | None:
    """The mean's place for values whose sum has no float: halfway between the extremes."""
    return min(values) / 2 + max(values) / 2 if values else None
