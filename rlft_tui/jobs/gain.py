"""Whether a measure still gets better: what the best checkpoint and early stopping go by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Gain:
    """One metric over the measures of a run."""

    metric: str
    """Empty follows none."""
    highest: bool
    """Whether more of it is better."""
    patience: int
    """Measures without a new best after which it is over; 0 for never."""
    best: float | None = None
    best_step: int = -1
    since: int = 0
    """Measures since the best one."""

    def heed(self, step: int, values: Mapping[str, float]) -> bool:
        """Take a measure in; whether it is the best so far."""
        value = values.get(self.metric)
        if not self.metric or value is None or step <= self.best_step:
            return False
        if math.isfinite(value) and (
            self.best is None or (value > self.best if self.highest else value < self.best)
        ):
            self.best, self.best_step, self.since = value, step, 0
            return True
        self.since += 1
        return False

    @property
    def over(self) -> bool:
        """Whether there was no new best for too long."""
        return 0 < self.patience <= self.since

    def told(self) -> str:
        """Why it is over, in a line."""
        best = f"{self.best:.4g} (step {self.best_step})"
        return f"{self.metric} has not improved on {best} for {self.since} measures"
