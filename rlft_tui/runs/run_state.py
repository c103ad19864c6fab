"""What a run's events, attempt, exit record and living processes together say about it.

Status comes from these alone, never from how old a file is:

=============================================  =========================================
keeper or job alive, no ``start`` event yet    starting
… and a stop was asked for                     stopping
… otherwise                                    running
a place in the line, neither alive             queued; paused if it is held and had stopped
exit record, ``end`` event says finished       finished
exit record, code 0, ``end`` says stopped      stopped (paused likewise)
exit record without code and signal            stopped if asked for, else failed (it never started)
exit record, a signal and no stop asked for    killed
exit record, otherwise                         stopped if asked for and SIGTERM, else failed
both gone, no exit record, ``end`` event       as the ``end`` event says
both gone, no exit record, no ``end`` event    lost
=============================================  =========================================
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import isfinite
from operator import lt
from typing import Any

import msgspec

from rlft_tui.record import Record
from rlft_tui.runs.exit_reason import error_line, one_line
from rlft_tui.runs.queue_place import QueuePlace
from rlft_tui.runs.run_event import (
    FORMAT_VERSION,
    MOST_STEP,
    MetricsColumns,
    MetricsRow,
    RunEvent,
    nonfinite_name,
    number,
)
from rlft_tui.runs.run_folder import Attempt
from rlft_tui.runs.run_spec import RunSpec, TrainingSpec
from rlft_tui.runs.run_status import ACTIVE, Alert, Exit, RunSummary, Status

_RECENT_STEPS = 20
_ROWS_FOR_PACE = 200
"""Rows that surely hold so many steps."""
_ALERTS_KEPT = 100
_STOPS = ("stop", "pause", "SIGTERM", "SIGINT")


class Processes(Record, frozen=True):
    """What else there is to know besides the event log."""

    attempt: Attempt | None
    exit: Exit | None
    alive: bool
    """The keeper or the job of the attempt lives."""
    stop_asked: bool
    place: QueuePlace | None = None
    """Where it stands in the line, if it does."""


class RunState:
    """Reduces the events of one run, in order, to its summary."""

    def __init__(self, spec: RunSpec, path: str, created: float) -> None:
        self.spec = spec
        self.path = path
        self.created = created
        self.reset()

    def reset(self) -> None:
        """Forget all events, for a log that is read again from its top."""
        self.step = 0
        self.steps = self.spec.max_steps if isinstance(self.spec, TrainingSpec) else 0
        self.started: float | None = None
        self.ended: float | None = None
        self.heard: float | None = None
        """Time of the last event."""
        self.stage = ""
        self.stage_progress: float | None = None
        self.metrics: dict[str, float | str] = {}
        self.first: dict[str, float | str] = {}
        self.units: dict[str, str] = {}
        self.device = ""
        self.memory_mb: float | None = None
        self.checkpoint = ""
        self.alerts: deque[Alert] = deque(maxlen=_ALERTS_KEPT)
        self.attempt = 0
        """Number of the attempt whose events these are; 0 before the first ``start``."""
        self.pid = 0
        """Process that wrote them."""
        self.error = ""
        self.error_type = ""
        """RlftError for an error that would only come again."""
        self.end: Status | None = None
        self.model = ""
        self.pairs = ""
        self.stop_seen = False
        self.kill_seen = False
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT_STEPS)

    def apply(self, event: RunEvent) -> None:
        """Take one event; unknown kinds and malformed fields are passed over."""
        fields = event.fields
        self.heard = event.t
        if event.kind == "metrics":
            self._metrics(event.t, fields)
        elif event.kind == "start":
            self._start(event.t, fields)
        elif event.kind == "stage":
            self.stage = one_line(fields.get("name"))
            progress = number(fields.get("progress"))
            self.stage_progress = None if progress is None else min(1.0, max(0.0, progress))
        elif event.kind == "checkpoint":
            if fields.get("verified", True):
                self.checkpoint = one_line(fields.get("path"))
        elif event.kind == "alert":
            self.alerts.append(
                Alert(
                    step=_whole(fields.get("step"), self.step),
                    t=event.t,
                    name=one_line(fields.get("name")),
                    message=one_line(fields.get("message")),
                    advice=one_line(fields.get("advice")),
                    severity=one_line(fields.get("severity")) or "warning",
                    action=one_line(fields.get("action")) or "notify",
                )
            )
        elif event.kind == "control":
            asked = str(fields.get("asked"))
            self.stop_seen = self.stop_seen or asked in _STOPS or asked.startswith("alarm: ")
            self.kill_seen = self.kill_seen or asked == "kill"
        elif event.kind == "error":
            self.error = error_line(fields)
            self.error_type = one_line(fields.get("type"))
        elif event.kind == "end":
            self._end(event.t, fields)

    def kept(self) -> dict[str, Any]:
        """All that was learnt from the events, as plain values: ``restore`` takes them back."""
        inputs = ("spec", "path", "created")
        state = {name: value for name, value in vars(self).items() if name not in inputs}
        builtins: dict[str, Any] = msgspec.to_builtins(
            {**state, "alerts": [*self.alerts], "_recent": [*self._recent]}
        )
        return builtins

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what ``kept`` gave; msgspec.ValidationError for anything else."""
        alerts = msgspec.convert(state.get("alerts"), list[Alert])
        recent = msgspec.convert(state.get("_recent"), list[tuple[float, int]])
        self.reset()
        if vars(self).keys() - {"spec", "path", "created"} != state.keys():
            raise msgspec.ValidationError("the state of another version")
        vars(self).update(state)
        self.alerts = deque(alerts, maxlen=_ALERTS_KEPT)
        self._recent = deque(recent, maxlen=_RECENT_STEPS)

    def summary(self, processes: Processes, *, output_model: str = "") -> RunSummary:
        """The run as it stands now."""
        attempt = processes.attempt
        # A new attempt that has not spoken yet: what the last one left behind is history.
        spoken = (
            attempt is None
            or self.attempt >= attempt.number
            or (self.attempt > 0 and self.pid == attempt.job_pid)
        )
        status = self._status(processes, spoken)
        active = status in ACTIVE
        exit = processes.exit if status != "queued" else None
        if exit is None and status == "lost":
            exit = _lost(attempt, self.heard or self.created)
        ended = None if active else exit.ended if exit else self.ended
        error = self.error if spoken else ""
        if not error and exit is not None and status == "failed":
            error = exit.reason
        return RunSummary(
            id=self.spec.id,
            method=self.spec.method,
            status=status,
            step=self.step,
            steps=self.steps,
            model=_models(self.spec),
            dataset=self.spec.dataset if isinstance(self.spec, TrainingSpec) else "",
            path=self.path,
            created=self.created,
            started=self.started,
            ended=ended,
            exit=exit,
            stage=self.stage if spoken and active else "",
            stage_progress=self.stage_progress if spoken and active else None,
            seconds_left=self._seconds_left() if status == "running" and spoken else None,
            metrics=_named(self.metrics),
            first=_named(self.first),
            units={one_line(key): one_line(unit) for key, unit in self.units.items()},
            device=self.device,
            memory_mb=self.memory_mb,
            checkpoint=self.checkpoint,
            alerts=tuple(self.alerts),
            error=error if status in ("failed", "killed", "lost") else "",
            attempt=attempt.number if attempt else 1,
            output_model=output_model,
        )

    def _status(self, processes: Processes, spoken: bool) -> Status:
        place = processes.place
        if place is None or processes.alive:
            return self._process_status(processes, spoken)
        if not place.held:
            return "queued"
        if processes.attempt is None:
            return "paused"
        status = self._process_status(processes, spoken)
        return "paused" if status == "stopped" else status

    def _process_status(self, processes: Processes, spoken: bool) -> Status:
        end = self.end if spoken else None
        asked = processes.stop_asked or (spoken and self.stop_seen)
        exit = processes.exit
        if exit is None:
            if processes.alive:
                return "stopping" if asked else "running" if spoken and self.attempt else "starting"
            return end or ("killed" if spoken and self.kill_seen else "lost")
        if end == "paused" and exit.code == 0:
            # By an alarm, until somebody has said that it is to be stopped.
            return "stopped" if processes.stop_asked else "paused"
        if end == "finished" or (end == "stopped" and exit.code == 0):
            return end
        if exit.signal is not None:
            return "stopped" if (asked or exit.asked) and exit.signal == "SIGTERM" else "killed"
        return "stopped" if exit.code is None and exit.asked else "failed"

    def _start(self, t: float, fields: dict[str, Any]) -> None:
        self.attempt = max(self.attempt + 1, _whole(fields.get("attempt"), 1))
        self.pid = _whole(fields.get("pid"), 0)
        # A table that was imported may tell no times.
        self.started = t if self.started is None and fields.get("timed", True) else self.started
        self.steps = _whole(fields.get("steps"), self.steps)
        self.device = one_line(fields.get("device")) or self.device
        self.stage, self.stage_progress = "", None
        self.error, self.error_type, self.end, self.ended = "", "", None, None
        self.stop_seen = self.kill_seen = False
        self._recent.clear()

    def apply_rows(self, rows: Sequence[MetricsRow]) -> None:
        """Take many rows of metrics, in the order of the log."""
        metrics, first = self.metrics, self.first
        memory = self.memory_mb or 0.0
        for row in rows:
            for key, value in row.values.items():
                if type(value) is float and isfinite(value):
                    metrics[key] = value
                elif (logged := number(value)) is not None:
                    metrics[key] = _said(logged)
            if len(first) < len(metrics):
                for key, last in metrics.items():
                    first.setdefault(key, last)
            if row.units:
                self.units.update((str(key), str(unit)) for key, unit in row.units.items())
            if row.memory_mb is not None and row.memory_mb > memory:
                memory = row.memory_mb
            if row.steps is not None and 0 < row.steps < MOST_STEP:
                self.steps = row.steps
        for row in rows[-_ROWS_FOR_PACE:]:
            self._keep_pace(row.t, row.step)
        if rows:
            self.heard = rows[-1].t
        self.memory_mb = memory or self.memory_mb

    def apply_columns(self, columns: MetricsColumns) -> None:
        """Take many rows of metrics at once."""
        for key, values in columns.values.items():
            self.first.setdefault(key, _said(values[0]))
            self.metrics[key] = _said(values[-1])
        self.units.update((str(key), str(unit)) for key, unit in columns.units.items())
        self.steps = _whole(columns.total, 0) or self.steps
        self.memory_mb = max(columns.memory_mb or 0.0, self.memory_mb or 0.0) or self.memory_mb
        last = columns.steps[-_RECENT_STEPS - 1 :]
        # Where every row is a new step, those kept are all there is to see.
        enough = len(last) if len(last) > _RECENT_STEPS and all(map(lt, last, last[1:])) else _ROWS_FOR_PACE
        for t, step in zip(columns.times[-enough:], columns.steps[-enough:], strict=True):
            self._keep_pace(t, step)
        self.heard = columns.times[-1]

    def _metrics(self, t: float, fields: dict[str, Any]) -> None:
        """A row that is not all as it should be: what can be read of it counts."""
        step = fields.get("step")
        steps, memory = fields.get("steps"), number(fields.get("memory_mb"))
        values, units = fields.get("values"), fields.get("units")
        row = MetricsRow(
            FORMAT_VERSION,
            t,
            step if type(step) is int else self.step,
            values if type(values) is dict else {},
            steps if type(steps) is int else None,
            units if type(units) is dict else None,
            memory,
        )
        self.apply_rows([row])

    def _keep_pace(self, t: float, step: int) -> None:
        if abs(step) >= MOST_STEP:
            return
        self.step = step
        recent = self._recent
        if recent and recent[-1][1] >= step:
            if recent[-1][1] > step:
                recent.clear()
        else:
            recent.append((t, step))

    def _end(self, t: float, fields: dict[str, Any]) -> None:
        status = fields.get("status")
        self.end = status if status in ("finished", "stopped", "paused", "failed") else "failed"
        self.ended = t
        self.model = str(fields.get("model") or "")
        self.pairs = str(fields.get("pairs") or "")

    def _seconds_left(self) -> float | None:
        """From the pace of the last steps of this attempt; None before there are two."""
        if len(self._recent) < 2 or self.steps <= 0:
            return None
        (t0, step0), (t1, step1) = self._recent[0], self._recent[-1]
        if t1 <= t0:
            return None
        return max(0, self.steps - step1) * (t1 - t0) / (step1 - step0)


def _said(value: float) -> float | str:
    """A logged number as the summary gives it: one that is not finite by its name."""
    return value if isfinite(value) else nonfinite_name(value)


def _models(spec: RunSpec) -> str:
    return " / ".join(dict.fromkeys(model.name for model in spec.models()))


def _lost(attempt: Attempt | None, heard: float) -> Exit:
    who = "it never started" if attempt is None else "keeper and job are both gone and left no record"
    return Exit(code=None, signal=None, reason=f"{who}; the machine may have gone down", ended=heard)


def _named(values: dict[str, float | str]) -> dict[str, float | str]:
    """With keys that are safe to print."""
    return {one_line(key): value for key, value in values.items()}


def _whole(value: object, otherwise: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST_STEP
    return value if whole else otherwise  # type: ignore[return-value]
