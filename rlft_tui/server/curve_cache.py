"""What was read of a run's log so far, beside the log, so that a million steps open at once.

Only a copy: the event log is the truth, and a cache of any other log is not believed. The
log of an active run grows on; the cache then stands for its beginning.
"""

from __future__ import annotations

import os
import sys
from array import array
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.metrics.curve import Curve
from rlft_tui.metrics.series import RunCurves
from rlft_tui.record import Record
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import CURVES_NAME
from rlft_tui.runs.run_state import RunState
from rlft_tui.runs.run_status import Sample
from rlft_tui.samples.samples import RunSamples

SMALLEST_LOG = 4 << 20
"""Bytes of event log below which reading it again takes no time."""
_FORMAT = 4
_PROOF = 256
"""Bytes at the start and before the end of what was read that must be the same."""


class _StoredCurve(Record, frozen=True):
    key: str
    unit: str
    steps: bytes
    """Native 64-bit integers."""
    values: bytes
    """Native doubles."""
    rewind: bool
    """A new attempt has begun that has not logged it yet."""


class _Log(Record, frozen=True):
    """Which bytes of which log were read."""

    end: int
    head: bytes
    tail: bytes
    changed: int
    """Modification time (ns) when the log ended there; 0 while it grew on."""


class _Stored(Record, frozen=True):
    format: int
    byte_order: str
    log: _Log
    unreadable: int
    last_t: float | None
    last_step: int | None
    went_back: int
    clock_back: int
    state: dict[str, Any]
    curves: list[_StoredCurve]
    samples: list[Sample]


def write_cache(
    folder: Path, reader: EventReader, state: RunState, curves: RunCurves, samples: RunSamples
) -> None:
    """Store them; OSError when the disk does not take it."""
    stored = _Stored(
        format=_FORMAT,
        byte_order=sys.byteorder,
        log=_log(reader.path, reader.offset),
        unreadable=reader.unreadable,
        last_t=curves.last_t,
        last_step=curves.last_step,
        went_back=curves.went_back,
        clock_back=curves.clock_back,
        state=state.kept(),
        curves=[_stored(curve) for curve in curves.all()],
        samples=list(samples.after(-(2**62))),
    )
    partial = folder / f".{CURVES_NAME}"
    try:
        partial.write_bytes(msgspec.msgpack.encode(stored))
        partial.replace(folder / CURVES_NAME)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_cache(
    folder: Path, reader: EventReader, state: RunState, curves: RunCurves, samples: RunSamples
) -> bool:
    """Fill all of them from the cache and set the reader behind it; False when there is none of this log."""
    try:
        stored = msgspec.msgpack.decode((folder / CURVES_NAME).read_bytes(), type=_Stored)
        if (stored.format, stored.byte_order) != (_FORMAT, sys.byteorder):
            return False
        if not _is_same(stored.log, _log(reader.path, stored.log.end)):
            return False
        state.restore(stored.state)
        reader.skip_to(stored.log.end)
    except (OSError, msgspec.MsgspecError):
        return False
    reader.unreadable = stored.unreadable
    kept = [_curve(one) for one in stored.curves]
    curves.restore(kept, stored.last_t, stored.last_step, stored.went_back, stored.clock_back)
    samples.restore(stored.samples)
    return True


def _log(path: Path, end: int) -> _Log:
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        start = max(0, end - _PROOF)
        head, tail = stream.read(min(_PROOF, end)), os.pread(stream.fileno(), end - start, start)
    return _Log(end, head, tail, status.st_mtime_ns if status.st_size == end else 0)


def _is_same(stored: _Log, now: _Log) -> bool:
    """Whether the bytes read then are still there; a log that ended there must be untouched or longer."""
    touched = bool(stored.changed and now.changed) and stored.changed != now.changed
    return not touched and (stored.end, stored.head, stored.tail) == (now.end, now.head, now.tail)


def _stored(curve: Curve) -> _StoredCurve:
    curve.sort()
    return _StoredCurve(
        curve.key, curve.unit, curve.steps.tobytes(), curve.values.tobytes(), curve.awaits_rewind
    )


def _curve(stored: _StoredCurve) -> Curve:
    curve = Curve(stored.key)
    curve.unit = stored.unit
    curve.steps = array("q", stored.steps)
    curve.values = array("d", stored.values)
    if stored.rewind:
        curve.expect_rewind()
    return curve
