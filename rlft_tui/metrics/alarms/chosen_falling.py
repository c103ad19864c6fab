"""The chosen answers become less likely, though still likelier than the rejected ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Recent
from rlft_tui.runs.specs.alarms import AlarmAction

ROWS = 5


class ChosenFalling:
    """``rewards/chosen`` is beta * log(policy/reference) (Rafailov et al. 2023): divided by beta, nats."""

    def __init__(self, beta: float, fall: float, action: AlarmAction) -> None:
        self.beta = beta
        self.fall = fall
        self.action: AlarmAction = action
        self._reward = Recent(ROWS)

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        if not self._reward.add(values.get("rewards/chosen")) or self._reward.seen < ROWS:
            return
        fallen = -self._reward.last / self.beta
        if fallen > self.fall:
            yield Alarm(
                "chosen falling",
                f"chosen answers have become {fallen:.0f} nats less likely than under the reference",
                "Lower learning_rate or raise beta or sft_weight; stop when samples get worse",
                self.action,
            )
