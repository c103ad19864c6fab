"""The loss or the gradient is NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.specs.alarms import AlarmAction

GRADIENTS_IN_A_ROW = 3
"""fp16 finds its loss scale by letting a gradient overflow now and then."""
ADVICE = "Stop, lower learning_rate (to a third), resume or launch again; fp32 rules out rounding"


class NonFinite:
    """Counts rows in a row whose loss is not finite."""

    def __init__(self, action: AlarmAction) -> None:
        self.action: AlarmAction = action
        self.losses = 0
        """Rows in a row without a finite loss."""
        self._gradients = 0

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        loss = values.get("loss")
        if loss is not None:
            self.losses = 0 if math.isfinite(loss) else self.losses + 1
            if self.losses:
                message = f"the loss is {loss} at step {step}"
                yield Alarm("loss not finite", message, ADVICE, self.action, "critical")
        norm = values.get("grad_norm")
        if norm is not None:
            self._gradients = 0 if math.isfinite(norm) else self._gradients + 1
            if self._gradients >= GRADIENTS_IN_A_ROW:
                message = f"the gradient's norm has been {norm} for {self._gradients} steps in a row"
                yield Alarm("gradient not finite", message, ADVICE, self.action, "critical")
