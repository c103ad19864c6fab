"""Answers have become much longer or much shorter than the first ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Recent
from rlft_tui.runs.specs.alarms import AlarmAction

KEYS: tuple[tuple[str, int], ...] = (("completions/mean_length", 5), ("samples/tokens", 2))
"""Metric, and how many of its rows are taken together: samples are few, and come seldom."""
SMALLEST = 8.0
"""Tokens; a smaller difference is none."""


class LengthDrift:
    """Compares the last rows with the first ones."""

    def __init__(self, factor: float, action: AlarmAction) -> None:
        self.factor = factor
        self.action: AlarmAction = action
        self._lengths = {key: Recent(rows) for key, rows in KEYS}

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        for key, lengths in self._lengths.items():
            if not lengths.add(values.get(key)) or not lengths.apart:
                continue
            first, last = lengths.first, lengths.last
            ratio = last / max(first, 1.0)
            if abs(last - first) >= SMALLEST and not 1 / self.factor < ratio < self.factor:
                yield Alarm(
                    "length drift",
                    f"answers went from {first:.0f} to {last:.0f} tokens ({key})",
                    "Length may be what is being rewarded. Compare the lengths of chosen and rejected "
                    "answers, or add a length penalty to the reward",
                    self.action,
                )
