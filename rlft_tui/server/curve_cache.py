"""Curves and samples of an ended run beside its log, so that a million steps open at once.

Only a copy: the event log is the truth, and a cache of any other log is not believed.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rlft_tui.metrics.series import Curve, RunCurves
from rlft_tui.runs.run_status import Sample
from rlft_tui.samples.samples import RunSamples

CACHE_NAME = "curves.cache"
SMALLEST_LOG = 4 << 20
"""Bytes of event log below which reading it again takes no time."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _StoredCurve:
    key: str
    unit: str
    steps: bytes
    """Native 64-bit integers."""
    values: bytes
    """Native doubles."""


@dataclass(frozen=True, slots=True)
class _StoredCurves:
    format: int
    byte_order: str
    events: tuple[int, int]
    """Size and modification time (ns) of the log that this was made from."""
    curves: list[_StoredCurve]
    samples: list[Sample]


def write_cache(folder: Path, events: tuple[int, int], curves: RunCurves, samples: RunSamples) -> None:
    """Store them; OSError when the disk does not take it."""
    stored = _StoredCurves(
        format=_FORMAT,
        byte_order=sys.byteorder,
        events=events,
        curves=[
            _StoredCurve(curve.key, curve.unit, curve.steps.tobytes(), curve.values.tobytes())
            for curve in curves.all()
        ],
        samples=list(samples.after(-(2**62))),
    )
    partial = folder / f".{CACHE_NAME}"
    try:
        partial.write_bytes(msgspec.msgpack.encode(stored))
        partial.replace(folder / CACHE_NAME)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_cache(folder: Path, events: tuple[int, int], curves: RunCurves, samples: RunSamples) -> bool:
    """Fill both from the cache; False when there is none of this very log."""
    try:
        stored = msgspec.msgpack.decode((folder / CACHE_NAME).read_bytes(), type=_StoredCurves)
    except (OSError, msgspec.DecodeError):
        return False
    if (stored.format, stored.byte_order, stored.events) != (_FORMAT, sys.byteorder, events):
        return False
    curves.restore([_curve(one) for one in stored.curves])
    samples.restore(stored.samples)
    return True


def _curve(stored: _StoredCurve) -> Curve:
    curve = Curve(stored.key)
    curve.unit = stored.unit
    curve.steps = array("q", stored.steps)
    curve.values = array("d", stored.values)
    return curve
