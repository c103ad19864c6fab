"""What a run will take, worked out before its launch, and what it took in the end."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import field

from rlft_tui.record import Record
from rlft_tui.runs.run_event import decode_event
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_status import RunSummary

NAME = "estimate.json"
"""In the run's folder."""


class Estimate(Record, frozen=True):
    """What the whole run is expected to take."""

    steps: int
    seconds: float
    low_seconds: float
    high_seconds: float
    """From the spread of the measured steps: two standard errors, and 5 % at least."""
    parts: dict[str, float]
    """Seconds by part: loading, preparing, training, evaluating, sampling, checkpoints, saving."""
    memory_mb: float
    """Highest resident memory of the job, MB of 10**6 bytes."""
    cuda_memory_mb: float | None
    disk_mb: float
    """Most that its folder holds at any time: checkpoints, result, data, log."""
    checkpoint_mb: float
    model_mb: float
    merged_mb: float
    """The whole model, were the result merged into its base for an export."""
    measured_steps: int
    device: str
    made: float
    """Unix seconds."""
    beside: int = 0
    """Other runs that were active meanwhile: they slow the measured steps down."""
    notes: tuple[str, ...] = ()
    """What does not fit, and what would."""
    instead: dict[str, int | bool | str] = field(default_factory=dict)
    """Settings that were changed until the steps could be taken; empty when the run fits as it is."""


class Outcome(Record, frozen=True):
    """Estimate and actual, side by side."""

    estimate: Estimate
    seconds: float | None
    """What the run took; None unless it finished in one attempt."""
    memory_mb: float | None
    disk_mb: float | None
    """What its folder holds now."""


def read_estimate(folder: Path) -> Estimate | None:
    """What was estimated before the run was launched; None where nothing was."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Estimate)
    except (OSError, msgspec.DecodeError):
        return None


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def outcome(folder: RunFolder, summary: RunSummary) -> Outcome | None:
    """Estimate versus actual; None for a run that was launched without a dry run.

    The time is from the job's first event to its end, as it was estimated.
    """
    estimate = read_estimate(folder.root)
    if estimate is None:
        return None
    seconds = None
    if summary.status == "finished" and summary.attempt == 1 and summary.ended is not None:
        with folder.events.open("rb") as stream:
            seconds = summary.ended - decode_event(stream.readline()).t
    disk = (folder_bytes(folder.root) / 1e6) if summary.status == "finished" else None
    return Outcome(estimate, seconds, summary.memory_mb, disk)
