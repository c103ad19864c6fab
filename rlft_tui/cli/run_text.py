"""A run as JSON and as lines for a person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rlft_tui.cli.session import duration, moment, table
from rlft_tui.runs.compare_runs import RunComparison
from rlft_tui.runs.run_status import RunSummary, Series, status_word


def run_json(run: RunSummary) -> dict[str, Any]:
    """The run's summary; scripts rely on the names in it."""
    import msgspec

    value: dict[str, Any] = msgspec.to_builtins(run)
    return value


def runs_table(runs: Sequence[RunSummary]) -> str:
    """One line a run; without the year and the seconds it fits into 80 columns."""
    writes = any(_speed(run) for run in runs)
    rows = [
        (
            run.id,
            status_text(run),
            steps_text(run),
            run.metrics.get("loss"),
            *((_speed(run),) if writes else ()),
            time.strftime("%m-%d %H:%M", time.localtime(run.created)),
            run.model,
        )
        for run in runs
    ]
    speed = ("tokens/s",) if writes else ()
    return table(("id", "status", "step", "loss", *speed, "created", "model"), rows)


def steps_text(run: RunSummary) -> str:
    """``3/40``, or what is known of it."""
    return f"{run.step}/{run.steps}" if run.steps else str(run.step) if run.step else "–"


def _speed(run: RunSummary) -> str:
    """Of a run that is writing texts now."""
    value = run.metrics.get("tokens_per_second")
    return f"{value:.0f}" if run.status == "running" and isinstance(value, float | int) else ""


def run_fields(run: RunSummary) -> list[tuple[str, object]]:
    """Names and values for ``fields``."""
    rows: list[tuple[str, object]] = [
        ("id", run.id),
        ("method", run.method),
        ("status", status_text(run)),
        ("reason", run.exit.reason if run.exit else ""),
        ("error", run.error),
        ("step", steps_text(run)),
        ("stage", run.stage),
        ("time left", duration(run.seconds_left)),
        ("started", moment(run.started)),
        ("ended", moment(run.ended)),
        ("model", run.model),
        ("data set", f"{run.dataset_name} {run.dataset}".strip()),
        ("result", run.output_model),
        ("checkpoint", run.checkpoint),
        ("attempt", run.attempt if run.attempt > 1 else ""),
        ("device", run.device),
        ("peak memory", f"{run.memory_mb:.0f} MB" if run.memory_mb else ""),
        ("folder", run.path),
        ("tags", ", ".join(run.tags)),
        ("note", run.note),
        ("put away", "yes" if run.archived else ""),
        ("event log", run.trouble),
    ]
    rows += [(f"alert at {alert.step}", f"{alert.message} {alert.advice}".strip()) for alert in run.alerts]
    for key, last in run.metrics.items():
        first = run.first.get(key)
        unit = f" {run.units[key]}" if run.units.get(key) else ""
        before = f"{_number(first)} → " if first is not None and first != last else ""
        rows.append((key, f"{before}{_number(last)}{unit}"))
    return rows


def status_text(run: RunSummary, *, asked: str = "") -> str:
    """``running``, or ``queued 2``: the second in line.

    A pause is a stop that keeps the place in line: only who has ``asked`` for it knows which it is.
    """
    if asked == "pause" and run.status == "stopping":
        return "pausing"
    word = status_word(run)
    return f"{word} {run.queue_place}" if run.queue_place else word


def points(series: Series) -> list[tuple[int, float | str | None]]:
    """Every value of a metric as (step, value); what was NaN or infinite says so."""
    return [
        (step, "NaN" if mean is None and nonfinite else mean)
        for step, mean, nonfinite in zip(series.steps, series.mean, series.nonfinite, strict=True)
        if mean is not None or nonfinite
    ]


def comparison_text(comparison: RunComparison, runs: Sequence[RunSummary]) -> str:
    """Settings that differ, the last metrics, and the training data beside that of the first run."""
    head = ("setting", *(run.id for run in runs))
    parts = [table(head, [(one.setting, *one.values) for one in comparison.settings], empty="Same settings.")]
    keys = sorted({key for run in runs for key in run.metrics})
    if keys:
        rows = [(key, *(_number(run.metrics.get(key, "")) for run in runs)) for key in keys]
        parts.append(table(("last value", *head[1:]), rows))
    parts += [
        f"Training data of {one.run_id} beside {comparison.runs[0]}: {one.shared} shared, "
        f"{one.apart} judged differently, {one.only_first} only in the first, {one.only_second} only here"
        for one in comparison.data
    ]
    return "\n\n".join(parts)


_PROGRESS = (
    ("reward", "reward"),
    ("loss", "loss"),
    ("rewards/margins", "margin"),
    ("rewards/accuracies", "accuracy"),
)
"""What a line of progress says, where a run has it: the metric and its word."""


def progress_line(run: RunSummary) -> str:
    """One line of progress: stage, step, the metrics that matter, time left."""
    parts = [run.id, run.status if run.status != "running" else run.stage or "running"]
    if run.status == "queued" and run.stage:
        parts.append(run.stage)
    if run.steps:
        parts.append(f"step {run.step}/{run.steps}")
    elif run.step:
        parts.append(f"step {run.step}")
    for key, name in _PROGRESS:
        if key in run.metrics:
            parts.append(f"{name} {_number(run.metrics[key])}")
    parts += [f"{key} {_number(run.metrics[key])}" for key in ("kl/sequence", "kl") if key in run.metrics][:1]
    if (speed := run.metrics.get("tokens_per_second")) is not None:
        parts.append(f"{speed:.0f} tokens/s" if isinstance(speed, float | int) else f"{speed} tokens/s")
    if run.seconds_left:
        parts.append(f"{duration(run.seconds_left)} left")
    return "  ".join(parts)


def _number(value: float | str | None) -> str:
    return f"{value:.4g}" if isinstance(value, float | int) else str(value)
