"""The distribution over the next token collapses onto single tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Recent
from rlft_tui.runs.specs.alarms import AlarmAction

KEYS = ("entropy", "policy/entropy_avg")
"""nats/token, by TRL's trainers and by its PPO."""
ROWS = 5


class EntropyCollapse:
    """Compares the last rows with the first ones."""

    def __init__(self, share: float, action: AlarmAction) -> None:
        self.share = share
        self.action: AlarmAction = action
        self._entropy = Recent(ROWS)

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        if not any(self._entropy.add(values.get(key)) for key in KEYS) or not self._entropy.apart:
            return
        first, last = self._entropy.first, self._entropy.last
        if first > 0 and last < self.share * first:
            yield Alarm(
                "entropy collapse",
                f"the entropy fell from {first:.2f} to {last:.2f} nats/token",
                "Answers become alike. Lower learning_rate or max_steps, raise beta, or give it more data",
                self.action,
            )
