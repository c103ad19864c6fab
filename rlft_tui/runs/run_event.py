"""The event log's format: one JSON object a line, the truth about a run.

Only this module knows it. Unknown kinds and keys are kept; a half-written last
line is left for the next read; NaN and infinities are written as strings.
"""

from __future__ import annotations

import json
import math
import os
import time
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
import orjson
from msgspec import field

from rlft_tui.record import Record
from rlft_tui.runs.log_file import open_log

FORMAT_VERSION = 1
Kind = Literal["start", "stage", "metrics", "sample", "checkpoint", "alert", "control", "error", "end"]
_TAIL = 64
MOST_STEP = 2**62
"""A step beyond is no step."""
_SHORT = 1 << 12
"""Bytes that are quicker read line by line than looked through for like rows."""
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class RunEvent(Record, frozen=True):
    """One line: format version, unix seconds, kind, and the kind's own fields.

    start: method, attempt, versions, host, device, steps, pid ·
    stage: name, progress (0..1), detail · metrics: step, steps, epoch, tokens, values {key: number},
    units {key: unit}, memory_mb · sample: step, index, prompt, completion, kl, reward, tokens ·
    checkpoint: step, path, verified · alert: step, name, message, advice ·
    control: asked, done · error: type, message, traceback · end: status (finished, stopped, failed),
    model (folder of the result), pairs (file of generated pairs)
    """

    kind: str
    t: float
    fields: dict[str, Any] = field(default_factory=dict)
    v: int = FORMAT_VERSION


class MetricsRow(msgspec.Struct, gc=False):
    """A well-formed ``metrics`` line, decoded straight to what curves and state need of it.

    Long logs are nearly all such lines: this takes a fifth of the time of a ``RunEvent``.
    """

    v: int
    t: float
    step: int
    values: dict[str, Any]
    steps: int | None = None
    units: dict[str, Any] | None = None
    memory_mb: float | None = None


class _LoggedRow(MetricsRow, gc=False, kw_only=True):
    # A tag of msgspec's may be missing; a kind may not.
    kind: Literal["metrics"]


_metrics_row = msgspec.json.Decoder(_LoggedRow)


class MetricsColumns(Record, frozen=True):
    """Neighbouring rows that log the same metrics as plain numbers, column by column.

    A long log is nearly all such rows, and curves take a column at a time.
    """

    steps: array[int]
    times: array[float]
    """Unix seconds, as long as ``steps``."""
    values: dict[str, array[float]]
    """Each as long as ``steps``; a number too large for a float is infinite."""
    units: dict[str, Any]
    total: int | None
    """Steps of the whole run, where the last row that says so is no fiction."""
    memory_mb: float | None
    """The largest."""

    def __len__(self) -> int:
        return len(self.steps)


def encode_event(event: RunEvent) -> bytes:
    """The event as one line, newline included."""
    record = _plain({"v": event.v, "t": event.t, "kind": event.kind, **event.fields})
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form; escaped, it comes back as it was.
        return json.dumps(record, allow_nan=False).encode() + b"\n"


def decode_event(line: bytes) -> RunEvent:
    """Raises ValueError for a line that is not an event."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        # The standard parser also takes bare NaN, huge integers and lone surrogates.
        try:
            record = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if type(record) is not dict:
        raise ValueError("not an event")
    kind = record.pop("kind", None)
    t = record.pop("t", None)
    v = record.pop("v", None)
    if not isinstance(kind, str):
        raise ValueError("not an event")
    if isinstance(t, bool) or not isinstance(t, int | float) or not isinstance(v, int):
        raise ValueError("an event needs t and v")
    try:
        return RunEvent(kind, float(t), record, v)
    except OverflowError:
        raise ValueError("t is no time") from None


def number(value: object) -> float | None:
    """A logged value as a float: the strings NaN, Infinity and -Infinity included."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return _NONFINITE.get(value) if isinstance(value, str) else None


def nonfinite_name(value: float) -> str:
    """NaN, Infinity or -Infinity, as the log and the server's answers write it."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class EventWriter:
    """Appends events; each line is one write, so a reader never sees two halves mixed."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if _ends_torn(path):
            os.write(self._descriptor, b"\n")

    def write(self, kind: Kind, **fields: Any) -> None:
        line = encode_event(RunEvent(kind, time.time(), fields))
        while line:
            line = line[os.write(self._descriptor, line) :]

    def metrics(
        self, step: int, values: Mapping[str, float], units: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """One row of numbers; ``units`` names those that have one."""
        self.write("metrics", step=step, values=dict(values), units=dict(units or {}), **more)

    def close(self) -> None:
        os.close(self._descriptor)


class EventReader:
    """Follows a log by byte offset."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.unreadable = 0
        """Complete lines that were no events."""
        self.restarts = 0
        """How often the file was found replaced, rewritten or shrunk, and read again from the top."""
        self.fault = ""
        """Why the log could not be read the last time; empty where it was, or is not there."""
        self._inode: int | None = None
        self._tail: bytes | None = None

    def read(self, limit: int = 64 << 20) -> Iterator[RunEvent]:
        """Events completed since the last call, from at most ``limit`` bytes.

        Starts again from the top when the file was replaced or has shrunk. A line
        counts as read once its event was taken.
        """
        for line in self._block(limit).split(b"\n")[:-1]:
            self.offset += len(line) + 1
            self._tail = line[-_TAIL:]
            event = self._event(line)
            if event is not None:
                yield event

    def read_batches(self, limit: int = 64 << 20) -> Iterator[RunEvent | list[MetricsRow] | MetricsColumns]:
        """Like ``read``, but neighbouring lines of metrics come together: as columns where they can."""
        block = self._block(limit)
        if len(block) < _SHORT:
            yield from self._batches(block.split(b"\n")[:-1])
            return
        from rlft_tui.runs.like_rows import read_columns  # loads numpy, which few logs need

        begin = 0
        for end, columns in read_columns(block):
            if columns is None:
                yield from self._batches(block[begin:end].split(b"\n")[:-1])
            else:
                self.offset += end - begin
                self._tail = end_of_line(block, end)
                yield columns
            begin = end

    def _batches(self, lines: list[bytes]) -> Iterator[RunEvent | list[MetricsRow]]:
        decode = _metrics_row.decode
        rows: list[MetricsRow] = []
        size, last = 0, b""
        for line in lines:
            try:
                if not line.isascii():
                    line.decode()  # of what the decoder passes over it does not see whether it is text
                rows.append(decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                if rows:
                    self.offset += size
                    self._tail = last[-_TAIL:]
                    yield rows
                    rows, size = [], 0
                self.offset += len(line) + 1
                self._tail = line[-_TAIL:]
                event = self._event(line)
                if event is not None:
                    yield event
            else:
                size += len(line) + 1
                last = line
        if rows:
            self.offset += size
            self._tail = last[-_TAIL:]
            yield rows

    def skip_to(self, offset: int) -> None:
        """Go on from here, what stands before having been read earlier; OSError for an unreadable log.

        The last bytes before it are remembered, so that another file is noticed.
        """
        with open_log(self.path) as stream:
            self._inode = os.fstat(stream.fileno()).st_ino
            start = max(0, offset - _TAIL - 1)
            before = os.pread(stream.fileno(), offset - start, start)
        self.offset = offset
        self._tail = before.removesuffix(b"\n").rpartition(b"\n")[2][-_TAIL:] if before else None

    def _event(self, line: bytes) -> RunEvent | None:
        if not line or line.isspace():
            return None
        try:
            return decode_event(line)
        except ValueError:
            self.unreadable += 1
            return None

    def _block(self, limit: int) -> bytes:
        """Complete lines from the offset on, their ends included."""
        self.fault = ""
        try:
            stream = open_log(self.path)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self.fault = error.strerror or str(error)
            return b""
        with stream:
            if self._is_another(stream):
                self.offset = 0
                self.unreadable = 0
                self._tail = None
                self.restarts += 1
            stream.seek(self.offset)
            block = stream.read(limit)
            complete = block.rfind(b"\n") + 1
            if not complete and len(block) == limit:
                # One line longer than the limit: take it whole.
                block += stream.readline()
                complete = block.rfind(b"\n") + 1
        return block[:complete]

    def _is_another(self, stream: BinaryIO) -> bool:
        """Whether this is a new file, or the bytes before the offset are not those that were read."""
        status = os.fstat(stream.fileno())
        known, self._inode = self._inode, status.st_ino
        if known not in (None, status.st_ino) or status.st_size < self.offset:
            return True
        if self._tail is None:
            return False
        expected = self._tail + b"\n"
        return os.pread(stream.fileno(), len(expected), self.offset - len(expected)) != expected


def end_of_line(lines: bytes, end: int) -> bytes:
    """The last bytes of the line whose newline ends at ``end``: by them a reader knows the log again."""
    return lines[lines.rfind(b"\n", 0, end - 1) + 1 : end - 1][-_TAIL:]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return nonfinite_name(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _ends_torn(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"
