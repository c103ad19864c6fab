"""What every job does around its work: start and end events, and errors that a person can read."""

from __future__ import annotations

import errno
import os
import platform
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from rlft_tui.errors import RlftError
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.jobs.metric_sink import MetricSink
from rlft_tui.jobs.stopping import StopRequest
from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.run_event import EventReader, EventWriter, number
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import RunSpec, read_spec

Spec = TypeVar("Spec", bound=RunSpec)
PACKAGES = ("torch", "transformers", "trl", "peft")
_NO_MEMORY = re.compile("can't allocate memory|not enough memory|Cannot allocate memory")
"""Torch's CPU allocator raises a plain RuntimeError."""


class Job:
    """The folder, the log and the wish to stop, handed to the work of one job."""

    def __init__(self, folder: RunFolder, log: EventWriter, stop: StopRequest) -> None:
        self.folder = folder
        self.log = log
        self.stop = stop
        self.sinks: list[MetricSink] = []
        """Where rows of metrics go besides the event log."""

    def stage(self, name: str, progress: float | None = None, detail: str = "") -> None:
        """Say what is being done now, and how far it is (0..1)."""
        self.log.write("stage", name=name, progress=progress, detail=detail)

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Write it down, and do what it is set to do: tell, or have the run save and end."""
        self.log.write(
            "alert",
            step=step,
            name=alarm.name,
            message=alarm.message,
            advice=alarm.advice,
            severity=alarm.severity,
            action=alarm.action,
        )
        if alarm.action in ("pause", "stop"):
            self.stop.ask(f"alarm: {alarm.name}", pause=alarm.action == "pause")

    def earlier_rows(self, until: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Rows of metrics logged so far, up to a step; of a step gone over twice the last counts."""
        rows: dict[int, dict[str, float]] = {}
        for event in EventReader(self.folder.events).read():
            step, values = event.fields.get("step"), event.fields.get("values")
            if event.kind == "metrics" and isinstance(step, int) and isinstance(values, dict):
                found = {key: real for key, value in values.items() if (real := number(value)) is not None}
                rows.setdefault(step, {}).update(found)
        return ((step, row) for step, row in sorted(rows.items()) if step <= until)

    def sink_row(
        self,
        step: int,
        values: Mapping[str, float],
        *,
        units: Mapping[str, str],
        epoch: float | None,
        tokens: int,
    ) -> None:
        """Hand a row on; a tracker that fails costs itself, never the run."""
        for sink in tuple(self.sinks):
            try:
                sink.row(step, values, units=units, epoch=epoch, tokens=tokens)
            except Exception as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise
                self.drop_sink(sink, step, error)

    def drop_sink(self, sink: MetricSink, step: int, error: Exception) -> None:
        self.sinks.remove(sink)
        message = f"{type(sink).__name__} gets no more rows: {explained(error)[1]}"
        self.alarm(step, Alarm("tracker", message, "The event log and training_metrics.csv have them all"))

    def close_sinks(self) -> None:
        for sink in tuple(self.sinks):
            try:
                sink.close()
            except Exception as error:
                self.drop_sink(sink, 0, error)

    def raised_alarms(self) -> set[str]:
        """Names of the alarms that this run has raised so far, in earlier attempts too."""
        events = EventReader(self.folder.events).read()
        return {str(event.fields.get("name")) for event in events if event.kind == "alert"}

    def stopped(self, done: str, **more: str) -> int:
        """End on request: what was asked, what was done."""
        self.log.write("control", asked=self.stop.asked, by="job", done=done)
        self.log.write("end", status="paused" if self.stop.pause else "stopped", **more)
        say(f"{'paused' if self.stop.pause else 'stopped'}: {done}")
        return 0

    def started(self, spec: RunSpec, steps: int, device: str) -> None:
        attempts = 1 + sum(event.kind == "start" for event in EventReader(self.folder.events).read())
        self.log.write(
            "start",
            method=spec.method,
            spec=spec.model_dump(mode="json"),
            attempt=attempts,
            versions=_versions(),
            host=platform.node(),
            device=device,
            steps=steps,
            pid=os.getpid(),
        )


def _versions() -> dict[str, str]:
    """Of those that are installed: some jobs need none."""
    found = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def run_job(arguments: list[str], kind: type[Spec], work: Callable[[Job, Spec], int]) -> int:
    """Read RUN_DIR, do the work, return its exit code: 1 after any error, told in the log and on stderr."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        say("usage: python -m rlft_tui.jobs.METHOD RUN_DIR")
        return 2
    prepare_environment()
    folder = RunFolder(Path(arguments[0]).resolve())
    stop = StopRequest()
    log = EventWriter(folder.events if is_first_process() else Path(os.devnull))
    job = Job(folder, log, stop)
    try:
        spec = read_spec(folder.spec)
        if not isinstance(spec, kind):
            raise RlftError(f"a {spec.method} spec was given to another method's job", where=str(folder.spec))
        return work(job, spec)
    except RlftError as error:
        return failed(log, "RlftError", str(error), _trace_of_cause(error))
    except Exception as error:
        return failed(log, *explained(error), traceback.format_exc())
    finally:
        job.close_sinks()
        log.close()


def is_first_process() -> bool:
    """Whether this one, of a run's processes, writes its files. RANK is torchrun's name for its number."""
    return os.environ.get("RANK", "0") == "0"


def _trace_of_cause(error: RlftError) -> str:
    """Where the exception that it explains came from, such as the user's own function; else nothing."""
    return "" if error.__cause__ is None else "".join(traceback.format_exception(error.__cause__))


def explained(error: Exception) -> tuple[str, str]:
    """Kind and one line for an error that no code here raised."""
    text = str(error).strip()
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or _NO_MEMORY.search(text)
    ):
        return "OutOfMemory", "out of memory. Lower batch_size or max_length, or set precision to bf16"
    if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "No space left on device" in text:
        return "DiskFull", "the disk is full. Make room, then resume the run: what it had saved stands"
    return type(error).__name__, f"{type(error).__name__}: {(text.splitlines() or ['no message'])[0]}"


def failed(log: EventWriter, kind: str, message: str, trace: str) -> int:
    """Tell the log and stderr, the message last; the log may be what cannot be written."""
    if trace:
        say(trace.rstrip())
    try:
        log.write("error", type=kind, message=message, traceback=trace)
        log.write("end", status="failed")
    except OSError as error:
        say(f"the event log could not be written: {error.strerror}")
    say(message)
    return 1


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
