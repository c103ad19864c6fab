"""Answers repeat themselves, or one another: the usual face of reward hacking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Recent
from rlft_tui.runs.specs.alarms import AlarmAction

DISTINCT = ("completions/distinct_2", "samples/distinct_2")
TWINS = ("completions/twins", "samples/twins")
"""Both from samples/repetition.py."""
ROWS = 2
"""Taken together: samples are few."""


class Repetition:
    """distinct-2 against the first samples; twins against a fixed share."""

    def __init__(self, share: float, action: AlarmAction) -> None:
        self.share = share
        self.action: AlarmAction = action
        self._distinct = {key: Recent(ROWS) for key in DISTINCT}
        self._twins = {key: Recent(ROWS) for key in TWINS}

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        for key, recent in self._distinct.items():
            if recent.add(values.get(key)) and recent.apart and recent.last < self.share * recent.first:
                yield self._alarm(f"{key} fell from {recent.first:.2f} to {recent.last:.2f}")
        for key, recent in self._twins.items():
            # The first answers of a model that always repeated itself are no news.
            if recent.add(values.get(key)) and recent.apart and recent.last > max(self.share, recent.first):
                yield self._alarm(f"{recent.last:.0%} of the answers have a twin ({key})")

    def _alarm(self, message: str) -> Alarm:
        return Alarm(
            "repetition",
            message,
            "Read the samples: the same words again and again hack the reward. Raise beta, penalise "
            "repetition in the reward, or go back to an earlier checkpoint",
            self.action,
        )
