"""Half of the steps are done, and the measure is surely where it began."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import fmean, variance

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.metrics.alarms.heldout_falling import HELD_OUT
from rlft_tui.runs.specs.alarms import AlarmAction

KEYS: tuple[tuple[str, int, float], ...] = (("reward", 1, 0.1), ("loss", -1, 0.03))
"""What a run is for, the direction in which it is better, and the share of its first value that is worth
having; the first one that is there counts."""
FEWEST = 16
"""Rows from which a trend can be told."""
LOOKS = (1 / 2, 5 / 8, 3 / 4)
"""Shares of the steps at which it is judged: early enough that a new launch still saves time."""
HELD_OUT_GAIN = 0.02
"""Share of the first held-out measure by which a better one proves progress."""
LN2 = math.log(2)


class NoProgress:
    """An equivalence test: even at the upper bound of its pace (two standard errors) the run would not
    gain until its end what is worth having.

    Noisy rows that cannot tell raise nothing, nor does a slow rise that still has time.
    """

    def __init__(self, steps: int, action: AlarmAction) -> None:
        self.action: AlarmAction = action
        self.steps = steps
        self._looks = [max(FEWEST, round(share * steps)) for share in LOOKS]
        self._rows: dict[str, list[float]] = {key: [] for key, *_ in KEYS}
        self._first: dict[str, float] = {}
        self._held_out_better = False

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        if not self._looks:
            return
        self._watch_held_out(values)
        for key, rows in self._rows.items():
            if math.isfinite(value := values.get(key, math.nan)):
                rows.append(value)
        if step < self._looks[0]:
            return
        while self._looks and step >= self._looks[0]:
            del self._looks[0]
        # Where there is a reward, the loss says nothing about progress.
        key, sign, worth = next((one for one in KEYS if self._rows[one[0]]), KEYS[-1])
        if len(self._rows[key]) < FEWEST or self._held_out_better:
            return
        first, last, error = halves(self._rows[key])
        # The middles of the two halves are half of the steps so far apart.
        pace = (sign * (last - first) + 2 * error) / (step / 2)
        if pace * max(self.steps, step) < worth * abs(first):
            ln2 = " (ln 2, where it begins)" if abs(last - LN2) < 0.01 else ""
            yield Alarm(
                "no progress",
                f"{key} went from {first:.3g} to {last:.3g}{ln2} in {step} steps",
                "Raise learning_rate (three times), train for more steps, or check that labels and scores "
                "vary",
                self.action,
            )

    def _watch_held_out(self, values: Mapping[str, float]) -> None:
        for key, sign in HELD_OUT:
            value = values.get(key, math.nan)
            if math.isfinite(value):
                first = self._first.setdefault(key, value)
                self._held_out_better |= sign * (value - first) > HELD_OUT_GAIN * abs(first)


def halves(rows: list[float]) -> tuple[float, float, float]:
    """Means of the first and the last half, and the standard error of their difference (Welch 1947)."""
    half = len(rows) // 2
    before, after = rows[:half], rows[half:]
    error = math.sqrt(variance(before) / len(before) + variance(after) / len(after))
    return fmean(before), fmean(after), error
