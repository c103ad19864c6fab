"""What a run will take, as names and values for a person: the same in the shell and in the workbench."""

from __future__ import annotations

from collections.abc import Callable

from rlft_tui.runs.estimate import Estimate, Outcome

Duration = Callable[[float | None], str]
LEAST_SHARE = 0.005
"""Of the time: a part below it is not worth a line."""


def estimate_lines(estimate: Estimate, duration: Duration) -> list[tuple[str, str]]:
    """What does not fit first; then steps, time by part, memory, disk."""
    spread = f"{duration(estimate.low_seconds)} to {duration(estimate.high_seconds)}"
    lines = [
        *(("note", note) for note in estimate.notes),
        ("steps", str(estimate.steps)),
        ("time", f"{duration(estimate.seconds)}  ({spread})"),
        *(
            (f"  {part}", duration(seconds))
            for part, seconds in estimate.parts.items()
            if seconds >= LEAST_SHARE * estimate.seconds
        ),
        ("peak memory", megabytes(estimate.memory_mb)),
        ("peak GPU memory", megabytes(estimate.cuda_memory_mb)),
        ("disk", f"{megabytes(estimate.disk_mb)} at most"),
        ("  a checkpoint", megabytes(estimate.checkpoint_mb)),
        ("  the result", megabytes(estimate.model_mb)),
        ("  merged for an export", megabytes(estimate.merged_mb or None)),
        ("measured", f"{estimate.measured_steps} steps on {estimate.device}"),
        ("beside", f"{estimate.beside} active: alone it may be quicker" if estimate.beside else ""),
    ]
    return [(name, value) for name, value in lines if value]


def outcome_lines(outcome: Outcome, duration: Duration) -> list[tuple[str, str]]:
    """Estimate versus actual."""
    estimate = outcome.estimate
    return [
        ("time", _versus(outcome.seconds, estimate.seconds, duration)),
        ("memory", _versus(outcome.memory_mb, estimate.memory_mb, megabytes)),
        ("disk", _versus(outcome.disk_mb, estimate.disk_mb, megabytes)),
    ]


def megabytes(value: float | None) -> str:
    """``540 MB``, ``1.2 GB``; empty for None."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.3g} MB"


def _versus(actual: float | None, estimate: float, shown: Duration) -> str:
    if not actual:
        return f"{shown(estimate)} estimated"
    return f"{shown(actual)}, {shown(estimate)} estimated ({100 * (estimate / actual - 1):+.0f} %)"
