"""The gradient's norm jumps far above what it was."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from statistics import median

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.specs.alarms import AlarmAction

HISTORY = 50
BEFORE = 8
"""Rows that must be known before a jump can be told."""
WITHIN = 20
"""Rows in which a second jump makes an alarm of the first; one batch may be odd."""
HUGE = 10.0
"""A jump that exceeds the factor this many times over needs no second."""


class GradientSpike:
    """Compares each norm with the median of those before it.

    ``clip``: the norm to which gradients are scaled down anyway; a jump below it does no harm.
    """

    def __init__(self, factor: float, clip: float, action: AlarmAction) -> None:
        self.factor = factor
        self.clip = clip
        self.action: AlarmAction = action
        self._norms: deque[float] = deque(maxlen=HISTORY)
        self._rows = 0
        self._last_jump = -math.inf

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        norm = values.get("grad_norm")
        if norm is None or not math.isfinite(norm):
            return
        self._rows += 1
        usual = median(self._norms) if len(self._norms) >= BEFORE else math.inf
        self._norms.append(norm)
        if norm <= self.factor * usual or norm <= self.clip:
            return
        second = self._rows - self._last_jump <= WITHIN
        self._last_jump = self._rows
        if second or norm > HUGE * self.factor * usual:
            yield Alarm(
                "gradient spike",
                f"the gradient's norm is {norm:.3g} at step {step}, {norm / max(usual, 1e-12):.0f} times "
                "the usual",
                "Unstable: lower learning_rate, raise gradient_accumulation or warmup_fraction, "
                "and look at the rows of this step",
                self.action,
            )
