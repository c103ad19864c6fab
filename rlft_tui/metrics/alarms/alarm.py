"""An alarm, and what every rule that raises one has in common."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from rlft_tui.record import Record
from rlft_tui.runs.specs.alarms import AlarmAction

Severity = Literal["warning", "critical"]


class Alarm(Record, frozen=True):
    """Something in the numbers of a run that deserves a look, and what may be done about it."""

    name: str
    message: str
    advice: str
    action: AlarmAction = "notify"
    severity: Severity = "warning"


class Rule(Protocol):
    """Sees every row of metrics of one run in order."""

    def observe(self, step: int, values: Mapping[str, float]) -> Iterable[Alarm]:
        """The alarms of this row; the same one may come again and again."""


class Recent:
    """The first few and the last few finite values of one metric."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=count)
        self.seen = 0
        """Finite values so far."""

    def add(self, value: float | None) -> bool:
        """Take a value; False for none and for one that is not finite."""
        if value is None or not math.isfinite(value):
            return False
        if len(self._first) < self.count:
            self._first.append(value)
        self._last.append(value)
        self.seen += 1
        return True

    @property
    def apart(self) -> bool:
        """Whether the first and the last values are not the same ones."""
        return self.seen >= 2 * self.count

    @property
    def first(self) -> float:
        """Mean of the first values."""
        return sum(self._first) / len(self._first)

    @property
    def last(self) -> float:
        """Mean of the last values."""
        return sum(self._last) / len(self._last)
