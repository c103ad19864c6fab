"""Half of the steps are done, and the measure is where it began."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import fmean, variance

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.specs.alarms import AlarmAction

KEYS: tuple[tuple[str, int], ...] = (("reward", 1), ("loss", -1))
"""What a run is for, and the direction in which it is better; the first one that is there counts."""
FEWEST = 16
"""Rows from which a trend can be told."""
NO_TREND = 0.5
"""Standard errors of the difference between the first and the last half of the rows seen.

Of flat curves about 70 % are below it, of curves that rise by two standard errors 7 %."""
LN2 = math.log(2)


class NoProgress:
    """Judges once, while a new launch still saves half of the time."""

    def __init__(self, steps: int, action: AlarmAction) -> None:
        self.steps = steps
        self.action: AlarmAction = action
        self._rows: dict[str, list[float]] = {key: [] for key, _ in KEYS}
        self._judged = False

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        if self._judged:
            return
        for key, rows in self._rows.items():
            if math.isfinite(value := values.get(key, math.nan)):
                rows.append(value)
        if step < max(FEWEST, self.steps // 2):
            return
        found = next(((key, sign) for key, sign in KEYS if len(self._rows[key]) >= FEWEST), None)
        if found is None:
            return
        self._judged = True
        key, sign = found
        rows = self._rows[key]
        if gain(rows, sign) < NO_TREND:
            first, last = fmean(rows[: len(rows) // 2]), fmean(rows[len(rows) // 2 :])
            ln2 = " (ln 2, where it begins)" if abs(last - LN2) < 0.01 else ""
            yield Alarm(
                "no progress",
                f"{key} went from {first:.3g} to {last:.3g}{ln2} in {step} steps",
                "Raise learning_rate (three times), train for more steps, or check that labels and scores "
                "vary",
                self.action,
            )


def gain(rows: list[float], sign: int) -> float:
    """How much better the second half is than the first, in standard errors of the difference (Welch)."""
    half = len(rows) // 2
    before, after = rows[:half], rows[half:]
    difference = sign * (fmean(after) - fmean(before))
    error = math.sqrt(variance(before) / len(before) + variance(after) / len(after))
    return difference / error if error > 0 else math.copysign(math.inf, difference) if difference else 0.0
