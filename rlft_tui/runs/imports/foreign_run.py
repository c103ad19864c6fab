"""A run that another program logged, as rows of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import field

from rlft_tui.record import Record
from rlft_tui.runs.run_event import RunEvent, encode_event

_EARLIEST = 1e8
"""Unix seconds, in 1973: times that stay below count from the run's own start."""


class LoggedRow(Record, frozen=True):
    """What was logged at one step."""

    step: int
    t: float | None
    """Unix seconds, where the log says."""
    values: dict[str, float]


class ForeignRun(Record, frozen=True):
    """One run of another program."""

    name: str
    source: str
    """The kind of log: tensorboard, wandb, trainer_state or csv."""
    rows: tuple[LoggedRow, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    """Its configuration, as far as the log has it."""
    refused: tuple[str, ...] = ()
    """A line for each row that was left out: where, and why."""
    log: str = ""
    """The file or folder it was read from."""


def by_step(points: Iterable[tuple[int, float | None, str, float]]) -> tuple[LoggedRow, ...]:
    """Single values (step, time, name, value) as one row a step, in the order of the steps."""
    values: dict[int, dict[str, float]] = {}
    times: dict[int, float | None] = {}
    for step, t, key, value in points:
        values.setdefault(step, {})[key] = value
        times.setdefault(step, t)
    return tuple(LoggedRow(step, times[step], values[step]) for step in sorted(values))


def event_log(run: ForeignRun, now: float) -> Iterator[bytes]:
    """The run as lines of an event log. A row without a time has that of the row before it; where none
    has one, all are of this moment, ``now``, and the log says that it has no times. Seconds since the run's
    start are put so that it ends at this moment; when it was is not known either."""
    rows = run.rows
    known = [row.t for row in rows if row.t is not None]
    counted = bool(known) and max(known) < _EARLIEST
    shift = now - max(known) if counted else 0.0
    begin = min(known, default=now) + shift
    last = max((row.step for row in rows), default=0)
    start = {"method": "imported", "attempt": 1, "versions": {}, "device": "", "steps": last}
    if counted or not known:
        start["timed"] = False
    yield encode_event(RunEvent("start", begin, start))
    t = begin
    for row in rows:
        t = row.t + shift if row.t is not None else t
        yield encode_event(RunEvent("metrics", t, {"step": row.step, "values": row.values}))
    yield encode_event(RunEvent("end", t, {"status": "finished"}))
