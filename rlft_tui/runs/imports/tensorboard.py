"""TensorBoard event files: TFRecords of Event messages (tensorflow/core/util/event.proto)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from rlft_tui.runs.imports.foreign_run import ForeignRun, by_step
from rlft_tui.runs.imports.protobuf import as_double, as_signed, fields_of

PATTERN = "*tfevents*"
_WALL_TIME, _STEP, _SUMMARY = 1, 2, 5
_VALUE, _TAG, _SIMPLE_VALUE, _TENSOR = 1, 1, 2, 8
_DTYPE, _CONTENT, _FLOATS, _DOUBLES = 1, 4, 5, 6
_FLOAT, _DOUBLE = 1, 2
"""TensorFlow's numbers of the two types that scalars have."""
_ONE_NUMBER = ((_FLOAT, 4), (_DOUBLE, 8))

Point = tuple[int, float | None, str, float]


def read_tensorboard(folder: Path) -> ForeignRun:
    """The scalars of all event files in one folder; what is torn at a file's end is left out."""
    points: list[Point] = []
    for file in sorted(folder.glob(PATTERN)):
        points += _points(file)
    return ForeignRun(folder.name, "tensorboard", by_step(points))


def _points(path: Path) -> Iterator[Point]:
    for record in _records(path):
        try:
            yield from _event(record)
        except (ValueError, struct.error):
            continue  # one damaged record does not cost the others


def _records(path: Path) -> Iterator[bytes]:
    """Length, its check sum, the data, its check sum; sums are not checked: they are CRC32C."""
    with path.open("rb") as stream:
        while len(head := stream.read(12)) == 12:
            (size,) = struct.unpack("<Q", head[:8])
            if size > 1 << 30:
                return
            record = stream.read(size)
            if len(record) < size or len(stream.read(4)) < 4:
                return
            yield record


def _event(record: bytes) -> Iterator[Point]:
    step, t = 0, None
    summaries = []
    for number, value in fields_of(record):
        if number == _WALL_TIME:
            t = as_double(value)
        elif number == _STEP:
            step = as_signed(value)
        elif number == _SUMMARY and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in fields_of(summary):
            if number == _VALUE and isinstance(value, bytes):
                tag, scalar = _scalar(value)
                if tag and scalar is not None:
                    yield step, t, tag, scalar


def _scalar(value: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, part in fields_of(value):
        if number == _TAG and isinstance(part, bytes):
            tag = part.decode("utf-8", "replace")
        elif number == _SIMPLE_VALUE:
            scalar = as_double(part)
        elif number == _TENSOR and isinstance(part, bytes):
            scalar = _tensor(part)
    return tag, scalar


def _tensor(message: bytes) -> float | None:
    """A tensor of one number, as TensorFlow 2 and newer writers log scalars."""
    kind = 0
    for number, value in fields_of(message):
        if number == _DTYPE and isinstance(value, int):
            kind = value
        elif (number in (_FLOATS, _DOUBLES) and isinstance(value, bytes) and len(value) in (4, 8)) or (
            number == _CONTENT and isinstance(value, bytes) and (kind, len(value)) in _ONE_NUMBER
        ):
            return as_double(value)
    return None
