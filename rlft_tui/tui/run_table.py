"""The table of runs in text: one line a run, and what is known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from rlft_tui.record import Record
from rlft_tui.runs.run_status import ACTIVE, RunSummary, Series
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import Columns, table_line
from rlft_tui.tui.run_list import data_name, lower_is_better

SPARK_POINTS = 14
_BARS = "▁▂▃▄▅▆▇█"


def columns_for(metric: str) -> Columns:
    """Title and width; those that do not fit are left to the lines below the table."""
    return (
        ("run", 23),
        ("status", 12),
        ("step", 14),
        (metric, 9),
        ("time", 11),
        ("best", 9),
        ("curve", SPARK_POINTS),
        ("data set", 16),
        ("model", 22),
        ("tags", 20),
    )


class Glance(Record, frozen=True):
    """One metric of a run in a few cells: its course, and its best value."""

    spark: str
    best: float | None


def glance(series: Series) -> Glance:
    """From a series of few bins; gaps are blank."""
    known = [value for value in series.mean if value is not None]
    ends = series.low if lower_is_better(series.key) else series.high
    extremes = [value for value in ends if value is not None]
    best = (min if lower_is_better(series.key) else max)(extremes) if extremes else None
    if not known:
        return Glance("", best)
    low, high = min(known), max(known)
    span = high / 2 - low / 2
    spark = "".join(
        " " if value is None else _BARS[round((value / 2 - low / 2) / span * (len(_BARS) - 1)) if span else 0]
        for value in series.mean[-SPARK_POINTS:]
    )
    return Glance(spark, best)


def row(
    run: RunSummary, columns: Columns, now: float, *, metric: str, seen: Glance | None, marked: bool | None
) -> Text:
    """One run in the columns given. ``marked``: None where no run is, and no room is left for marks."""
    seen = seen or Glance("", None)
    value = run_text.figure(run.metrics[metric]) if metric in run.metrics else run_text.headline(run)
    if metric not in run.metrics and metric != "loss":
        value = "–"
    open_alarms = unseen_alerts(run)
    mark = "" if marked is None else "◆ " if marked else "◇ "
    name = mark + run_text.cut_middle(run_text.plain(run.id), dict(columns)["run"] - len(mark))
    values: Mapping[str, tuple[str, str]] = {
        "run": (name, "bold" if marked else "dim" if run.archived else ""),
        "status": (run_text.state(run) + (" !" if open_alarms else ""), run_text.STYLES[run.status]),
        "step": (run_text.steps(run), ""),
        "time": (run_text.when(run, now), ""),
        "best": (run_text.figure(seen.best) if seen.best is not None else "", ""),
        "curve": (seen.spark, "#56b4e9"),
        "data set": (data_name(run), "dim"),
        "model": (run.model, ""),
        "tags": (" ".join(f"#{tag}" for tag in run.tags), "#cc79a7"),
        metric: (value, ""),
    }
    return table_line(columns, values)


def unseen_alerts(run: RunSummary) -> int:
    """Alarms that nobody has acknowledged."""
    from rlft_tui.runs.remarks import alarm_key

    return sum(alarm_key(each.name, each.step, each.t) not in run.seen_alerts for each in run.alerts)


def detail(run: RunSummary, width: int, now: float) -> Text:
    """Four lines on one run: what it is, where it stands, what went wrong, what to do."""
    lines = Text(no_wrap=True, overflow="ellipsis")
    result = f" → {run.output_model}" if run.output_model else ""
    named = f"{run.dataset_name} ({run.dataset})" if run.dataset_name else run.dataset
    data = f" · data set {named}" if run.dataset else ""
    tags = "".join(f" #{tag}" for tag in run.tags)
    model = f"{run.model}{result}{data} · ".removeprefix(" · ")
    lines.append(run_text.cut(run_text.plain(f"{model}{run_text.since(run, now)}{tags}"), width) + "\n")
    if run.status in ACTIVE:
        parts = [run_text.progress_bar(run, 24), run_text.steps(run), run_text.stage(run)]
        if run.memory_mb:
            parts.append(run_text.megabytes(run.memory_mb))
        lines.append(run_text.cut("  ".join(part for part in parts if part), width), style="#56b4e9")
    elif cause := run_text.cause(run):
        lines.append(run_text.cut(f"✗ {cause}", width), style=run_text.STYLES["failed"])
        lines.append("\n" + run_text.cut(run_text.resume_advice(run), width))
    elif run.status in ("stopped", "paused"):
        lines.append(run_text.cut(run_text.resume_advice(run), width))
    if run.note:
        lines.append("\n" + run_text.cut(f"✎ {run_text.plain(run.note)}", width))
    if run.trouble:
        lines.append("\n" + run_text.cut(f"! {run_text.plain(run.trouble)}", width), style="#e69f00")
    for alert in run.alerts[-1:]:
        said = f"! step {alert.step}: {run_text.plain(alert.message)}"
        lines.append("\n" + run_text.cut(said, width), style="#e69f00")
    return lines
