"""The last hours of what machine and runs used, read every few seconds while anything runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from rlft_tui.record import Record
from rlft_tui.runs.run_status import Series
from rlft_tui.runs.usage import UsageMeter, unit_of

PERIOD = 3.0
_KEPT = 2400
"""Readings kept: two hours."""
_ASKED_SECONDS = 60.0
"""Readings go on for so long after somebody looked, with nothing running."""


class _Reading(Record, frozen=True):
    t: float
    values: dict[str, float]


class UsageHistory:
    """Begins to read at the first question, and pauses while nothing runs and nobody asks."""

    def __init__(self, place: Path, runs: Callable[[], Mapping[str, int]]) -> None:
        """``runs`` gives the job's pid of each active run."""
        self._place, self._runs = place, runs
        self._readings: deque[_Reading] = deque(maxlen=_KEPT)
        self._asked = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def series(self) -> tuple[Series, ...]:
        """Each value over the seconds since the first reading kept."""
        self._asked = time.monotonic()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="usage", daemon=True)
                self._thread.start()
            readings = list(self._readings)
        if not readings:
            return ()
        begin = readings[0].t
        names = dict.fromkeys(name for reading in readings for name in reading.values)
        return tuple(_series(name, begin, readings) for name in names)

    def _work(self) -> None:
        meter = UsageMeter(self._place)
        while True:
            time.sleep(PERIOD)
            runs = self._runs()
            if not runs and time.monotonic() - self._asked > _ASKED_SECONDS:
                continue
            reading = _Reading(time.time(), meter.read(runs))
            with self._lock:
                self._readings.append(reading)


def _series(name: str, begin: float, readings: list[_Reading]) -> Series:
    points = [(max(0, round(each.t - begin)), each.values[name]) for each in readings if name in each.values]
    values = [value for _, value in points]
    steps = [second for second, _ in points]
    return Series(
        name,
        unit_of(name),
        1,
        steps,
        list(values),
        list(values),
        list(values),
        [0] * len(values),
        len(values),
    )
