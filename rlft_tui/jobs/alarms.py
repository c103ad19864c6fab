"""What in the numbers of a DPO run deserves a look, and what may be done about it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

KL_LIMIT = 40.0
"""nats/sequence; beyond it the policy says things that the reference would hardly ever say."""
FALL_LIMIT = 25.0
"""nats/sequence by which chosen answers may become less likely than under the reference."""
NAN_PATIENCE = 5
"""Steps in a row without a finite loss after which there is nothing left to save."""


@dataclass(frozen=True, slots=True)
class Alarm:
    name: str
    message: str
    advice: str


class Alarms:
    """Sees every row of metrics; each alarm is raised once a run."""

    def __init__(self, *, beta: float, max_steps: int) -> None:
        self.beta = beta
        self.max_steps = max_steps
        self.nonfinite = 0
        """Steps in a row whose loss was NaN or infinite."""
        self._raised: set[str] = set()
        self._chosen: deque[float] = deque(maxlen=5)
        self._losses: deque[float] = deque(maxlen=5)

    def observe(self, step: int, values: Mapping[str, float]) -> list[Alarm]:
        found = [
            *self._loss(step, values),
            *self._divergence(values),
            *self._chosen_falling(values),
            *self._early(step, values),
        ]
        new = [alarm for alarm in found if alarm.name not in self._raised]
        self._raised.update(alarm.name for alarm in new)
        return new

    def _loss(self, step: int, values: Mapping[str, float]) -> list[Alarm]:
        loss = values.get("loss")
        if loss is None:
            return []
        if math.isfinite(loss):
            self.nonfinite = 0
            self._losses.append(loss)
            return []
        self.nonfinite += 1
        advice = "Stop, lower learning_rate (to a third), resume or launch again; fp32 rules out rounding"
        return [Alarm("loss not finite", f"the loss is {loss} at step {step}", advice)]

    def _divergence(self, values: Mapping[str, float]) -> list[Alarm]:
        kl = values.get("kl/sequence")
        if kl is None or not kl > KL_LIMIT:
            return []
        message = f"KL to the reference is {kl:.0f} nats/sequence, over {KL_LIMIT:.0f}"
        return [Alarm("kl high", message, "Read the samples; raise beta or lower learning_rate or max_steps")]

    def _chosen_falling(self, values: Mapping[str, float]) -> list[Alarm]:
        reward = values.get("rewards/chosen")
        if reward is None:
            return []
        self._chosen.append(reward / self.beta)
        mean = sum(self._chosen) / len(self._chosen)
        if len(self._chosen) < 5 or not mean < -FALL_LIMIT:
            return []
        message = f"chosen answers have become {-mean:.0f} nats less likely than under the reference"
        return [
            Alarm("chosen falling", message, "Lower learning_rate or raise beta; stop when samples get worse")
        ]

    def _early(self, step: int, values: Mapping[str, float]) -> list[Alarm]:
        """Advice a third of the way through, while a new launch still saves time."""
        if step < max(8, self.max_steps // 3) or len(self._losses) < 5:
            return []
        mean = sum(self._losses) / len(self._losses)
        if abs(mean - math.log(2)) < 0.01 and abs(values.get("rewards/margins", 1.0)) < 0.02:
            message = f"the loss is still {mean:.3f}, where it began (ln 2), after {step} steps"
            return [Alarm("no progress", message, "Raise learning_rate (three times), or check the labels")]
        return []
