"""What a run will take, and what it took, as lines for a person."""

from __future__ import annotations

from rlft_tui.cli.session import duration, fields
from rlft_tui.runs.estimate import Estimate, Outcome


def estimate_text(estimate: Estimate) -> str:
    """The estimate, what does not fit first."""
    return fields([*(("note", note) for note in estimate.notes), *_estimate_fields(estimate)])


def _estimate_fields(estimate: Estimate) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("steps", estimate.steps),
        ("time", f"{duration(estimate.seconds)}  ({_range(estimate)})"),
        *(
            (f"  {part}", duration(seconds))
            for part, seconds in estimate.parts.items()
            if seconds >= 0.005 * estimate.seconds
        ),
        ("peak memory", megabytes(estimate.memory_mb)),
        ("peak GPU memory", megabytes(estimate.cuda_memory_mb) if estimate.cuda_memory_mb else ""),
        ("disk", f"{megabytes(estimate.disk_mb)} at most"),
        ("  a checkpoint", megabytes(estimate.checkpoint_mb)),
        ("  the result", megabytes(estimate.model_mb)),
        ("  merged for an export", megabytes(estimate.merged_mb) if estimate.merged_mb else ""),
        ("measured", f"{estimate.measured_steps} steps on {estimate.device}"),
    ]
    if estimate.beside:
        rows.append(("beside", f"{estimate.beside} other runs were active: alone it may be quicker"))
    return rows


def outcome_fields(outcome: Outcome | None) -> list[tuple[str, object]]:
    """Estimate versus actual, for the page of a run; none without an estimate."""
    if outcome is None:
        return []
    estimate = outcome.estimate
    return [
        ("time", _versus(outcome.seconds, estimate.seconds, duration)),
        ("memory", _versus(outcome.memory_mb, estimate.memory_mb, megabytes)),
        ("disk", _versus(outcome.disk_mb, estimate.disk_mb, megabytes)),
    ]


def _versus(actual: float | None, estimate: float, shown: object) -> str:
    assert callable(shown)
    if actual is None:
        return f"{shown(estimate)} estimated"
    return f"{shown(actual)}, {shown(estimate)} estimated ({100 * (estimate / actual - 1):+.0f} %)"


def megabytes(value: float | None) -> str:
    """``540 MB``, ``1.2 GB``."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.3g} MB"


def _range(estimate: Estimate) -> str:
    return f"{duration(estimate.low_seconds)} to {duration(estimate.high_seconds)}"
