"""The policy is far from the reference, by one estimator in its own unit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.specs.alarms import AlarmAction

ADVICE = (
    "Read the samples. Raise beta or lower learning_rate or max_steps; "
    "with PPO raise init_kl_coef or set target_kl to 3"
)


class Divergence:
    """Watches one KL metric; the mean of its last ``count`` values, for a single one is noisy."""

    def __init__(
        self,
        key: str,
        unit: str,
        warning: float,
        critical: float,
        action: AlarmAction,
        *,
        count: int = 1,
        name: str = "kl",
    ) -> None:
        self.key = key
        self.unit = unit
        self.warning = warning
        self.critical = critical
        self.action: AlarmAction = action
        self.name = name
        self._last: deque[float] = deque(maxlen=count)

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        value = values.get(self.key)
        if value is None:
            return
        self._last.append(value)
        if len(self._last) < (self._last.maxlen or 1):
            return
        mean = sum(self._last) / len(self._last)
        for word, limit in (("high", self.warning), ("critical", self.critical)):
            # Infinite counts as over the limit, NaN does not.
            if mean > limit:
                critical = word == "critical"
                yield Alarm(
                    f"{self.name} {word}",
                    f"KL to the reference ({self.key}) is {mean:.3g} {self.unit}, over {limit:g}",
                    ADVICE,
                    self.action if critical else "notify",
                    "critical" if critical else "warning",
                )
