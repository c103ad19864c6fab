"""Why a job ended, in one line a person can act on."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlft_tui.record import Record
from rlft_tui.runs.hung_reward import called_reward, hung_reward
from rlft_tui.runs.run_event import EventReader, RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.terminal_text import plain_lines

_TAIL_BYTES = 64 << 10
_EVENTS_BYTES = 1 << 20
_LINE_LENGTH = 400


class MemoryKills(Record, frozen=True):
    """How many processes the kernel has killed for want of memory, so far."""

    group: int
    """In our own control group (its ``memory.events``)."""
    machine: int
    """On the whole machine (``/proc/vmstat``)."""

    @classmethod
    def now(cls) -> MemoryKills:
        return cls(_group_kills(), _counter(Path("/proc/vmstat"), "oom_kill"))

    def __sub__(self, earlier: MemoryKills) -> MemoryKills:
        return MemoryKills(self.group - earlier.group, self.machine - earlier.machine)


def describe_end(
    folder: RunFolder,
    code: int,
    *,
    stop_asked: bool,
    kill_asked: bool = False,
    grace: float | None,
    memory_kills: MemoryKills,
    events_from: int,
    output_from: int,
) -> str:
    """One line about an exit code as ``Popen`` gives it (negative: a signal).

    ``grace``: seconds after which a stop was enforced, if it was. Offsets: where this
    attempt's events and output begin.
    """
    if code >= 0 and (reward := called_reward(folder)):
        if (hung := hung_reward(folder, output_from)) is not None:
            return one_line(hung)
        return f"{reward} ended the process (exit code {code})"
    if code == 0:
        alarm = _last_alarm(folder.events, events_from)
        if alarm and not stop_asked:
            return f"stopped by the {alarm}"
        return "stopped on request" if stop_asked else "ended by itself"
    if kill_asked and code == -signal.SIGKILL:
        return "killed on request"
    error = _last_error(folder.events, events_from)
    if code > 0:
        return f"exit code {code}: {error or _last_line(folder.output, output_from) or 'it left no message'}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if grace is not None:
        return f"killed: it had not stopped {grace:g} s after it was asked to"
    if -code == signal.SIGKILL and memory_kills.group > 0:
        return "out of memory: the kernel killed it. Try a smaller batch_size or max_length"
    if -code == signal.SIGKILL and memory_kills.machine > 0:
        return (
            "killed by SIGKILL while the kernel was killing for want of memory. "
            "Try a smaller batch_size or max_length"
        )
    if -code == signal.SIGTERM and stop_asked:
        return "stopped on request before there was anything to save"
    if -code == signal.SIGKILL:
        return "killed by SIGKILL: nobody asked for it; perhaps out of memory"
    detail = error or _last_line(folder.output, output_from)
    return f"killed by {name}: nobody asked for it" + (f"; last output: {detail}" if detail else "")


def error_line(fields: Mapping[str, Any]) -> str:
    """The line of an ``error`` event that names what went wrong."""
    kind = fields.get("type", "error")
    named = one_line(f"{kind}: {fields.get('message', '')}")
    # An RlftError was written for people, with the remedy; its traceback is of what it came from.
    return named if kind == "RlftError" else one_line(fields.get("traceback")) or named


def one_line(value: object) -> str:
    """The last line of a logged text that has something on it, safe to print."""
    lines = plain_lines(str(value)) if value else []
    return lines[-1][:_LINE_LENGTH] if lines else ""


def _last_error(events: Path, start: int) -> str:
    """Last line of the last ``error`` event's traceback, or its type and message."""
    found = ""
    for event in _last_events(events, start):
        if event.kind == "error":
            found = error_line(event.fields)
    return found


def _last_alarm(events: Path, start: int) -> str:
    """``alarm: kl critical`` when an alarm had the job end, else nothing."""
    found = ""
    for event in _last_events(events, start):
        if event.kind == "control":
            asked = one_line(event.fields.get("asked"))
            found = asked if asked.startswith("alarm: ") else ""
    return found


def _last_events(events: Path, start: int) -> Iterator[RunEvent]:
    with contextlib.suppress(OSError):
        start = max(start, events.stat().st_size - _EVENTS_BYTES)
    return EventReader(events, start).read()


def _last_line(output: Path, start: int) -> str:
    """Last line with something on it, of the output since ``start``."""
    try:
        with output.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(start, size - _TAIL_BYTES))
            return one_line(stream.read(_TAIL_BYTES).decode(errors="replace"))
    except OSError:
        return ""


def _group_kills() -> int:
    """From version 2's ``memory.events`` or version 1's ``memory.oom_control``; 0 where there is neither."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return 0
    total = 0
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            total += _counter(Path("/sys/fs/cgroup") / path.lstrip("/") / "memory.events", "oom_kill")
        elif "memory" in controllers.split(","):
            total += _counter(
                Path("/sys/fs/cgroup/memory") / path.lstrip("/") / "memory.oom_control", "oom_kill"
            )
    return total


def _counter(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    values = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
    return int(values[0]) if values else 0
