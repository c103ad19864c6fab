"""The event log's format: one JSON object a line, the truth about a run.

Only this module knows it. Unknown kinds and keys are kept; a half-written last
line is left for the next read; NaN and infinities are written as strings.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import time
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
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
PIECE = 1 << 16
"""Bytes turned into columns at once: few enough that their rows stay in the processor's cache."""
_MOST_COLUMNS = 256
"""A log with more metrics in a row is read row by row."""
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


class _RowHead(msgspec.Struct, gc=False, kw_only=True):
    """What is read of every row beside its values."""

    v: int
    t: float
    step: int
    steps: int | None = None
    memory_mb: float | None = None


class MetricsRow(msgspec.Struct, tag_field="kind", tag="metrics", gc=False):
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


_metrics_row = msgspec.json.Decoder(MetricsRow)


class _LikeRow(msgspec.Struct, gc=False):
    values: dict[str, Any]
    units: dict[str, Any] | None = None


_like_row = msgspec.json.Decoder(_LikeRow)
_UNITS = re.compile(rb'[^-0-9\\"]*"units": ?\{[^{}\\]*\}[^-0-9\\]*')
"""As a member of the row: inside a string its quotes would be escaped. What stands around it, up to the
next numbers, is the same in like rows, and the longer a text is the faster it is counted."""


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


def metrics_columns(lines: bytes) -> MetricsColumns | None:
    """Complete lines as columns; None unless each of them is a row of the same metrics."""
    try:
        count, first = lines.count(b"\n"), lines[: lines.find(b"\n")]
        like = _like_row.decode(first)
        keys = tuple(like.values)
        if len(keys) > _MOST_COLUMNS:
            return None
        # Nearly always the units are the same text in every row, and then need not be read in each.
        said = _UNITS.search(first)
        alike = said is not None and lines.count(said[0]) == count
        rows = _rows_of(keys, units=not alike).decode_lines(lines)
        # A line that was torn may be whole together with the next one: that is not what it says.
        if len(rows) != count or not (alike or all(row.units == like.units for row in rows)):
            return None
        values = [row.values for row in rows]
        totals = [row.steps for row in rows]
        return MetricsColumns(
            steps=packed("q", [row.step for row in rows]),
            times=packed("d", [row.t for row in rows]),
            values={key: packed("d", list(map(attrgetter(f"v{at}"), values))) for at, key in enumerate(keys)},
            units=like.units or {},
            total=None if totals.count(None) == count else _last_total(totals),
            memory_mb=_greatest([row.memory_mb for row in rows]),
        )
    except (msgspec.MsgspecError, struct.error, ValueError):  # ValueError: names that no field can have
        return None


def _last_total(totals: list[int | None]) -> int | None:
    return next((total for total in reversed(totals) if total is not None and total > 0), None)


def _greatest(numbers: list[float | None]) -> float | None:
    try:
        return max(numbers)  # type: ignore[type-var]  # nearly always all are numbers
    except TypeError:
        return max((number for number in numbers if number is not None), default=None)


def read_columns(block: bytes) -> Iterator[tuple[int, MetricsColumns | None]]:
    """Complete lines as stretches: where each ends in the block, and its columns; None for one that is to
    be read line by line. Rows that log the same metrics in the same units come together."""
    alike: list[MetricsColumns] = []
    at = 0
    while at < len(block):
        end = block.rfind(b"\n", at, at + PIECE) + 1 or block.index(b"\n", at) + 1
        columns = metrics_columns(block[at:end])
        if alike and not (columns is not None and _are_alike(alike[0], columns)):
            yield at, _joined(alike)
            alike = []
        at = end
        if columns is None:
            yield at, None
        else:
            alike.append(columns)
    if alike:
        yield at, _joined(alike)


def _are_alike(one: MetricsColumns, other: MetricsColumns) -> bool:
    return one.values.keys() == other.values.keys() and one.units == other.units


def _joined(found: list[MetricsColumns]) -> MetricsColumns:
    """Neighbouring columns of the same metrics as one."""
    totals = [each.total for each in found if each.total is not None]
    memory = [each.memory_mb for each in found if each.memory_mb is not None]
    return MetricsColumns(
        steps=array("q", b"".join(each.steps for each in found)),
        times=array("d", b"".join(each.times for each in found)),
        values={key: array("d", b"".join(each.values[key] for each in found)) for key in found[0].values},
        units=found[0].units,
        total=totals[-1] if totals else None,
        memory_mb=max(memory, default=None),
    )


def packed(kind: Literal["q", "d"], numbers: list[Any]) -> array[Any]:
    """The numbers as an array, in half the time that ``array`` takes; struct.error for one too large."""
    return array(kind, struct.pack(f"{len(numbers)}{kind}", *numbers))


@lru_cache(maxsize=64)
def _rows_of(keys: tuple[str, ...], *, units: bool) -> msgspec.json.Decoder[Any]:
    """A decoder of rows that log just these metrics, as plain numbers; without ``units`` it skips those.

    A type of its own for them: two thirds of the time that a dictionary a row would take.
    """
    names = [f"v{at}" for at in range(len(keys))]
    values = msgspec.defstruct(
        "Values",
        [(name, float) for name in names],
        rename=dict(zip(names, keys, strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    row = msgspec.defstruct(
        "Row",
        [("values", values), *([("units", dict[str, Any] | None, None)] if units else [])],
        bases=(_RowHead,),
        tag_field="kind",
        tag="metrics",
        gc=False,
        kw_only=True,
    )
    return msgspec.json.Decoder(row)


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
                rows.append(decode(line))
            except msgspec.MsgspecError:
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

    @property
    def inode(self) -> int | None:
        """Of the file that was read last; None before any was."""
        return self._inode

    def pass_over(self, end: int, last: bytes) -> None:
        """Go on from ``end``, what stands before having been read elsewhere; ``last``: as of end_of_line."""
        self.offset, self._tail = end, last

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
