"""All curves of one run, built from its events; and how far training had come in time at each step."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.metrics.curve import Curve
from rlft_tui.runs.exit_reason import one_line
from rlft_tui.runs.run_event import FORMAT_VERSION, MOST_STEP, MetricsColumns, MetricsRow, RunEvent, number
from rlft_tui.runs.run_status import Series

ELAPSED = "@elapsed"
"""Key of a curve that no trainer logs: seconds of training up to a step, pauses left out."""


class RunCurves:
    """Every metric that the run has logged, and ``ELAPSED``."""

    def __init__(self) -> None:
        self._curves: dict[str, Curve] = {}
        self._elapsed = Curve(ELAPSED)
        self._elapsed.unit = "s"
        self._seconds = 0.0
        """Of training up to the last row."""
        self._origin = 0.0
        """When it would have begun without pauses, by the clock as it is now."""
        self._last_t: float | None = None
        """Time of the last row of this attempt."""
        self._last_step: int | None = None
        self.went_back = 0
        """How often a step was lower than the one before, without a new attempt."""
        self.clock_back = 0
        """How often the clock was earlier than at the row before, without a new attempt."""

    def all(self) -> tuple[Curve, ...]:
        """In the order in which they were first logged, ``ELAPSED`` last."""
        return (*self._curves.values(), self._elapsed)

    def restore(
        self,
        curves: Sequence[Curve],
        last_t: float | None = None,
        last_step: int | None = None,
        went_back: int = 0,
        clock_back: int = 0,
    ) -> None:
        """Take curves that were kept elsewhere in place of all others."""
        self._curves = {curve.key: curve for curve in curves}
        self._elapsed = self._curves.pop(ELAPSED, Curve(ELAPSED))
        self._elapsed.unit = "s"
        self._seconds = self._elapsed.values[-1] if self._elapsed.values else 0.0
        self._origin = (last_t or 0.0) - self._seconds
        self._last_t, self._last_step = last_t, last_step
        self.went_back, self.clock_back = went_back, clock_back

    @property
    def last_t(self) -> float | None:
        """Time of the last row, to go on from after ``restore``."""
        return self._last_t

    @property
    def last_step(self) -> int | None:
        """Step of the last row of this attempt, to go on from likewise."""
        return self._last_step

    def reset(self) -> None:
        """Forget all, for a log that is read again from its top."""
        self.restore(())

    def apply(self, event: RunEvent) -> None:
        """Take the numbers of a ``metrics`` event; a ``start`` begins a new attempt."""
        if event.kind == "metrics":
            fields = event.fields
            step, values, units = fields.get("step"), fields.get("values"), fields.get("units")
            if type(step) is int and type(values) is dict:
                named = units if type(units) is dict else None
                self.apply_rows([MetricsRow(event.v, event.t, step, values, units=named)])
        elif event.kind == "start":
            self._last_t = self._last_step = None
            for curve in self.all():
                curve.expect_rewind()

    def apply_rows(self, rows: Sequence[MetricsRow]) -> None:
        """Take many rows of metrics, in the order of the log."""
        curves = self._curves
        steps, times = array("q"), array("d")
        last_step = self._last_step
        for row in rows:
            step = row.step
            if not -MOST_STEP < step < MOST_STEP:
                continue
            if last_step is not None and step < last_step:
                self.went_back += 1
            last_step = step
            steps.append(step)
            times.append(self._trained(row.t))
            for key, value in row.values.items():
                logged = value if type(value) is float else number(value)
                if logged is not None:
                    curve = curves.get(key)
                    if curve is None:
                        curve = curves[key] = Curve(key)
                    curve.add(step, logged)
            if row.units:
                self._name_units(row.units)
        self._elapsed.extend(steps, times, rising=_fallen(steps) == 0)
        self._last_step = last_step

    def apply_columns(self, columns: MetricsColumns) -> None:
        """Take many rows of metrics at once; the same as ``apply_rows`` with each of them."""
        steps, times = columns.steps, columns.times
        fallen = _fallen(steps)
        lowest, highest = (min(steps), max(steps)) if fallen else (steps[0], steps[-1])
        if not -MOST_STEP < lowest <= highest < MOST_STEP:
            for at, (step, t) in enumerate(zip(steps, times, strict=True)):
                values = {key: column[at] for key, column in columns.values.items()}
                self.apply_rows([MetricsRow(FORMAT_VERSION, t, step, values, units=columns.units)])
            return
        for key, column in columns.values.items():
            curve = self._curves.get(key)
            if curve is None:
                curve = self._curves[key] = Curve(key)
            curve.extend(steps, column, rising=fallen == 0)
        if self._last_t is not None and self._last_t <= times[0] and not _fallen(times):
            elapsed = _less(times, self._origin)
            self._seconds, self._last_t = elapsed[-1], times[-1]
        else:
            elapsed = array("d", map(self._trained, times))
        self._elapsed.extend(steps, elapsed, rising=fallen == 0)
        if self._last_step is not None and steps[0] < self._last_step:
            fallen += 1
        self.went_back += fallen
        self._last_step = steps[-1]
        self._name_units(columns.units)

    def _trained(self, t: float) -> float:
        """Seconds of training up to a row of this time, which is the last one from now on."""
        last = self._last_t
        if last is None or t < last:
            # Neither a pause nor a clock that was set back counts, or takes time away.
            self._origin = t - self._seconds
            self.clock_back += last is not None
        self._seconds, self._last_t = t - self._origin, t
        return self._seconds

    def series(
        self, keys: Sequence[str], points: int, window: tuple[int, int] | None = None
    ) -> tuple[Series, ...]:
        """The curves with these keys (all of them for none); ``/…/`` selects by regular expression.

        ``window`` is the first and last step wanted. NotFoundError for a key that the run has not logged.
        """
        return tuple(self._curve(key).series(points, window) for key in self._select(keys))

    def _curve(self, key: str) -> Curve:
        return self._elapsed if key == ELAPSED else self._curves[key]

    def _select(self, keys: Sequence[str]) -> list[str]:
        if not keys:
            return list(self._curves)
        selected: dict[str, None] = {}
        for key in keys:
            if key in self._curves or key == ELAPSED:
                selected[key] = None
            elif (named := next((each for each in self._curves if _as_told(each) == key), None)) is not None:
                selected[named] = None
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


def _as_told(key: str) -> str:
    """The key as summaries give it: on one line, without escapes and without half a surrogate pair."""
    return one_line(key).encode("utf-8", "replace").decode()


def _fallen(numbers: array[Any]) -> int:
    """How many of these steps or times are lower than the one before."""
    import numpy as np

    looked_at = np.frombuffer(numbers, numbers.typecode)
    return int(np.count_nonzero(looked_at[1:] < looked_at[:-1]))


def _less(numbers: array[float], subtrahend: float) -> array[float]:
    import numpy as np

    return array("d", (np.frombuffer(numbers) - subtrahend).tobytes())
