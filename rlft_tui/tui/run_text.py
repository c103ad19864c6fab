"""How a run is put into words: glyphs, durations, numbers, cause of a failure."""

from __future__ import annotations

import math
import re

from rich.cells import cell_len, set_cell_size

from rlft_tui.counted import counted as counted
from rlft_tui.runs.run_event import number
from rlft_tui.runs.run_status import ACTIVE, RESUMABLE, RunSummary, Status, never_began, status_word
from rlft_tui.tui.widgets.harmless import harmless_line

GLYPHS: dict[Status, str] = {
    "queued": "…",
    "starting": "◌",
    "running": "▶",
    "stopping": "◐",
    "paused": "‖",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "killed": "✗",
    "lost": "?",
}
"""A state is told by shape and word as well as by colour."""

STYLES: dict[Status, str] = {
    "queued": "#b0b0b0",
    "starting": "#56b4e9",
    "running": "#56b4e9",
    "stopping": "#e69f00",
    "paused": "#e69f00",
    "finished": "#2fb38d",
    "stopped": "#e69f00",
    "failed": "bold #ff8c5a",
    "killed": "bold #ff8c5a",
    "lost": "bold #ff8c5a",
}
"""Okabe and Ito's palette, lightened for dark backgrounds: apart for every kind of colour vision."""


def plain(text: str) -> str:
    """One line that a terminal cannot take for a command, for names and prompts in lists."""
    return harmless_line(" ".join(text.split()))


def size(count: int) -> str:
    """Bytes below a kilobyte, whole kilobytes, megabytes or gigabytes above."""
    if count < 1024:
        return f"{count} B"
    for size, unit in ((1 << 30, "GB"), (1 << 20, "MB")):
        if count >= 10 * size:
            return f"{count / size:,.0f} {unit}"
    return f"{count / 1024:,.0f} KB"


def cut(text: str, width: int) -> str:
    """The text in at most ``width`` cells, an ellipsis where it was cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…" if width > 0 else ""


def cut_middle(text: str, width: int, *, last: int = 5) -> str:
    """The text in at most ``width`` cells with its ``last`` characters, which tell runs apart."""
    if cell_len(text) <= width or width < 2 * last:
        return cut(text, width)
    return cut(text[:-last], width - last) + text[-last:]


def duration(seconds: float | None) -> str:
    """Two units at most: 42s, 3m12s, 2h05m, 3d04h."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def ago(then: float | None, now: float) -> str:
    """How long ago, in one unit: it changes rarely, so a quiet screen stays quiet."""
    if not then:
        return "–"
    seconds = max(now - then, 0)
    if seconds < 60:
        return "just now"
    for size, unit in ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return "just now"


def figure(value: float | str | None) -> str:
    """A metric in at most nine characters; what is not finite is named, never left out."""
    real = number(value)
    if real is None:
        return "–"
    if math.isnan(real):
        return "NaN"
    if math.isinf(real):
        return "+Inf" if real > 0 else "-Inf"
    size = abs(real)
    if size != 0 and (size < 1e-3 or size >= 1e6):
        return f"{real:.2e}"
    return f"{real:.4g}" if size >= 1000 else f"{real:.3f}"


def megabytes(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1024:.1f} GB" if value >= 1024 else f"{value:.0f} MB"


def label(run: RunSummary) -> str:
    """The status in shape and word."""
    return f"{GLYPHS[run.status]} {status_word(run)}"


def state(run: RunSummary) -> str:
    """The status with its glyph; for a queued run its place in the line."""
    return label(run) + (f" {run.queue_place}" if run.queue_place else "")


def made(run: RunSummary) -> str:
    """What a run makes one by one, where its steps count that: pairs, completions, calls."""
    return {"generate": "pairs", "completions": "completions", "judge": "calls"}.get(run.method, "")


def steps(run: RunSummary) -> str:
    """Step of steps, or pairs of pairs for a generate run."""
    return f"{run.step:,}/{run.steps:,}" if run.steps else f"{run.step:,}" if run.step else "–"


def headline(run: RunSummary) -> str:
    """The one figure that a list shows."""
    if word := made(run):
        speed = run.metrics.get("tokens_per_second")
        if run.status == "running" and isinstance(speed, float | int):
            return f"{speed:.0f} tokens/s"
        return f"{run.step:,} {word}" if run.step else "–"
    value = run.metrics.get("loss", run.metrics.get("train_loss"))
    return figure(value) if value is not None else "–"


def when(run: RunSummary, now: float) -> str:
    """Time left of an active run, end of another."""
    if run.status == "queued":
        # Its place stands beside the status, the reason below the table.
        return "waiting"
    if run.status in ACTIVE:
        return time_left(run) or plain(run.stage) or run.status
    return ago(run.ended or run.created, now)


def time_left(run: RunSummary) -> str:
    """``3m12s left`` of a run that trains; after its last step it is the stage that says what goes on."""
    if run.seconds_left is None or run.seconds_left < 1:
        return ""
    return f"{duration(run.seconds_left)} left"


def since(run: RunSummary, now: float) -> str:
    """When it was started, or launched where it has not begun."""
    if run.started is not None:
        return f"started {ago(run.started, now)}"
    how = "queued" if run.status == "queued" else "imported" if run.method == "imported" else "launched"
    return f"{how} {ago(run.created, now)}"


def stage(run: RunSummary) -> str:
    """What a run is doing; of one that stops, what it still has to do."""
    if run.status == "stopping" and run.stage in ("", "training"):
        return "ends its step, then saves"
    if not run.stage:
        return ""
    share = f" {run.stage_progress:.0%}" if run.stage_progress is not None else ""
    return f"{plain(run.stage)}{share}"


def progress_bar(run: RunSummary, width: int = 20) -> str:
    """Done and still to do, in ``width`` cells."""
    share = min(run.step / run.steps, 1.0) if run.steps else 0.0
    done = int(share * width)
    return "━" * done + "─" * (width - done)


def cause(run: RunSummary) -> str:
    """Why the run ended, in one line; empty for one that is well."""
    if run.status == "failed":
        return _cause_first(
            run.error or (run.exit.reason if run.exit else "") or "the job ended with an error"
        )
    if run.status == "killed":
        reason = plain(run.exit.reason) if run.exit else ""
        signal = run.exit.signal if run.exit else None
        return reason or (f"ended by {signal}" if signal else "ended by a signal")
    if run.status == "lost":
        return plain(run.exit.reason if run.exit and run.exit.reason else "") or (
            "keeper and job are gone and left no record (power cut, or the machine was restarted)"
        )
    return ""


def _cause_first(error: str) -> str:
    """An error without the folders of the file it names first, so that a narrow line has the cause."""
    return re.sub(r"^(RlftError: )?(/\S*/(?=[^/\s]+: ))?", "", plain(error))


def checkpoint(run: RunSummary) -> str:
    """``checkpoint 20``, or nothing."""
    name = run.checkpoint.rstrip("/").rsplit("/", 1)[-1]
    return f"checkpoint {plain(name).removeprefix('checkpoint-')}" if name else ""


def resume_advice(run: RunSummary) -> str:
    """What ``r`` will do."""
    if run.status not in RESUMABLE:
        return ""
    if never_began(run) or (run.status == "paused" and not run.step):
        return "r puts it back in line"
    if run.checkpoint:
        return f"r resumes from {checkpoint(run)}"
    if word := made(run):
        return f"r resumes after {run.step:,} finished {word}"
    return "r starts it again from step 0 (no checkpoint yet)"
