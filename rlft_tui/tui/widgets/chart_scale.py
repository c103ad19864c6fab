"""How a chart is looked at, and where a step stands on an x axis of steps, time or tokens."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

from rlft_tui.record import Record
from rlft_tui.runs.run_status import Series

XAxis = Literal["step", "time", "tokens"]
X_AXES: tuple[XAxis, ...] = ("step", "time", "tokens")
WEIGHTS = (0.0, 0.6, 0.9, 0.97)
"""Smoothing offered, from none to strong."""


class ChartLook(Record, frozen=True):
    """What a chart's lines are drawn against, and how."""

    x: XAxis = "step"
    smoothing: float = 0.0
    """Weight of the past in the moving average of the drawn points, 0 for none."""
    log: bool = False
    """A logarithmic value axis; values of 0 and below are hidden, and counted."""


class Clock:
    """A run's x coordinate by step: seconds of training or tokens read, straight between the points."""

    def __init__(self, series: Series | None = None) -> None:
        """Without a series a step is its own coordinate."""
        self._steps: list[float] = []
        self._places: list[float] = []
        if series is not None:
            half = (series.bin - 1) / 2
            highest = 0.0
            for step, mean in zip(series.steps, series.mean, strict=False):
                if mean is not None:
                    # Never back: a resumed run may count from 0 again.
                    highest = max(highest, mean)
                    self._steps.append(step + half)
                    self._places.append(highest)
        self._own = series is None

    @property
    def last(self) -> float:
        """The farthest coordinate known."""
        return self._places[-1] if self._places else 0.0

    def at(self, step: float) -> float:
        """The coordinate of a step."""
        return step if self._own else _between(self._steps, self._places, step)

    def step_at(self, place: float) -> float:
        """The step that stands at a coordinate."""
        return place if self._own else _between(self._places, self._steps, place)


STEPS = Clock()
"""The clock on which every step is itself."""


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """Exponential moving average without the pull towards 0 at the start; gaps stay gaps.

    ``m = w·m + (1 − w)·v`` over ``1 − wⁿ``, as in Adam (Kingma and Ba, 2015, section 3).
    """
    if not weight:
        return list(values)
    held, correction = 0.0, 0.0
    means: list[float | None] = []
    for value in values:
        if value is None:
            means.append(None)
            continue
        held = weight * held + (1 - weight) * value
        correction = weight * correction + (1 - weight)
        means.append(held / correction)
    return means


def _between(known: list[float], wanted: list[float], at: float) -> float:
    """Straight interpolation; outside the known points the nearest one's slope-free value."""
    if not known:
        return 0.0
    place = bisect_left(known, at)
    if place == 0:
        return wanted[0]
    if place == len(known):
        return wanted[-1]
    low, high = known[place - 1], known[place]
    share = (at - low) / (high - low) if high > low else 1.0
    return wanted[place - 1] + share * (wanted[place] - wanted[place - 1])
