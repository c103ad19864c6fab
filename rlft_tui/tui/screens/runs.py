"""All runs, newest first, as they stand now."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.errors import RlftError
from rlft_tui.runs.run_status import ACTIVE, KILLABLE, PAUSABLE, RESUMABLE, RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow, fitting, table_head, table_line
from rlft_tui.tui.screens.watching import WatchingScreen

LIVE_SECONDS = 0.5
QUIET_SECONDS = 2.0
COLUMNS: tuple[tuple[str, int], ...] = (
    ("run", 23),
    ("status", 11),
    ("step", 14),
    ("loss", 9),
    ("time", 11),
    ("model", 22),
    ("data set", 14),
)
"""Title and width; those that do not fit are left to the lines below the table."""


class RunsScreen(WatchingScreen):
    """Table of runs, and what is known of the one under the cursor."""

    KEY = "runs"
    HELP = "Runs go on without this screen, without the server and without the connection."
    AUTO_FOCUS = "#runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "monitor", id="runs.open", tooltip="Watch this run"),
        Binding("l", "launch", "launch", id="runs.launch", tooltip="Launch form for training or generating"),
        Binding("x", "stop", "stop", id="runs.stop", tooltip="Save a checkpoint, verify it, end the run"),
        Binding(
            "p", "pause", "pause", id="runs.pause", tooltip="Save, free the device, keep the place in line"
        ),
        Binding("r", "resume", "resume", id="runs.resume", tooltip="Go on from the last verified checkpoint"),
        Binding("K", "move('up')", "up", id="runs.up", tooltip="One place further up the line"),
        Binding("J", "move('down')", "down", id="runs.down", tooltip="One place further down the line"),
        Binding("X", "kill", "kill", id="runs.kill", tooltip="End the job at once, without saving"),
        Binding("d", "delete", "delete", id="runs.delete", tooltip="Delete the run and its folder"),
    ]
    DEFAULT_CSS = """
    RunsScreen #runs { height: 1fr; }
    RunsScreen #detail { height: 4; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs: tuple[RunSummary, ...] = ()
        self._detail = ""

    def body(self) -> Iterable[Widget]:
        yield ListPane(empty="reading runs …", id="runs")
        yield Static("", id="detail")

    async def look(self) -> float:
        before = [(run.id, run.status) for run in self.runs]
        self.runs = await self.bench.link.call(lambda client: client.runs())
        self.paint()
        if before != [(run.id, run.status) for run in self.runs]:
            self.refresh_bindings()
        return LIVE_SECONDS if any(run.status in ACTIVE for run in self.runs) else QUIET_SECONDS

    def look_failed(self, error: RlftError) -> None:
        if not self.runs:
            self.query_one(ListPane).show((), empty=run_text.plain(str(error)))
        else:
            super().look_failed(error)

    def on_resize(self) -> None:  # type: ignore[override]
        self.paint()

    # drawing
    def paint(self) -> None:
        """Rows and detail; a line that says what it said before costs nothing."""
        now = time.time()
        columns = fitting(COLUMNS, self.size.width)
        self.query_one(ListPane).show(
            [ListRow(run.id, row(run, columns, now)) for run in self.runs],
            table_head(columns),
            empty="No runs yet: l launches one",
        )
        self._show_detail(now)

    def _show_detail(self, now: float) -> None:
        run = self.selected
        text = detail(run, self.size.width - 2, now) if run else Text()
        if text.markup != self._detail:
            self._detail = text.markup
            self.query_one("#detail", Static).update(text)

    @property
    def selected(self) -> RunSummary | None:
        key = self.query_one(ListPane).key
        return next((run for run in self.runs if run.id == key), None)

    @on(ListPane.Moved)
    def _moved(self) -> None:
        self._show_detail(time.time())
        self.refresh_bindings()

    # actions
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what the run under the cursor allows stands in the key bar."""
        if action in ("open", "stop", "pause", "resume", "move", "kill", "delete"):
            run = self.selected if self.is_mounted else None
            if run is None:
                return False
            allowed = {
                "open": True,
                "stop": run.status in ACTIVE,
                "pause": run.status in PAUSABLE,
                "move": run.status == "queued",
                "kill": run.status in KILLABLE,
                "resume": run.status in RESUMABLE,
                "delete": run.status not in ACTIVE,
            }
            return allowed[action]
        return super().check_action(action, parameters)

    @on(ListPane.Chosen)
    def action_open(self) -> None:
        if (run := self.selected) is not None:
            self.bench.show_screen("monitor", run_id=run.id)

    def action_launch(self) -> None:
        self.bench.show_screen("launch")

    def action_stop(self) -> None:
        run = self.selected
        if run is not None and run.status in ACTIVE:
            what = (
                f"take {run.id} out of the line?"
                if run.status == "queued"
                else f"stop {run.id} after a checkpoint?"
            )
            self.lead(f"{what}  y yes · any other key no", {"y": partial(self._stop, run.id)})

    def _stop(self, run_id: str) -> None:
        self.call(lambda client: client.stop(run_id), self._changed)

    def action_pause(self) -> None:
        run = self.selected
        if run is not None and run.status in PAUSABLE:
            self.call(lambda client: client.pause(run.id), self._changed)

    def action_kill(self) -> None:
        run = self.selected
        if run is not None and run.status in KILLABLE:
            self.lead(f"kill {run.id}, losing what came after its last checkpoint?  y yes · any other key no",
                      {"y": partial(self._kill, run.id)})  # fmt: skip

    def _kill(self, run_id: str) -> None:
        self.call(lambda client: client.kill(run_id), self._changed)

    def action_move(self, to: str) -> None:
        run = self.selected
        if run is not None and run.status == "queued":
            self.call(lambda client: client.move(run.id, to), self._changed, retry=False)

    def action_resume(self) -> None:
        run = self.selected
        if run is not None and run.status in RESUMABLE:
            self.call(lambda client: client.resume(run.id), self._changed, retry=False)

    def action_delete(self) -> None:
        run = self.selected
        if run is not None and run.status not in ACTIVE:
            self.lead(f"delete {run.id} and its folder?  y yes · any other key no",
                      {"y": partial(self._delete, run.id)})  # fmt: skip

    def _delete(self, run_id: str) -> None:
        self.call(lambda client: client.delete_run(run_id), lambda _: self.look_now(), retry=False)

    def _changed(self, run: RunSummary) -> None:
        self.runs = tuple(run if run.id == old.id else old for old in self.runs)
        self.paint()
        self.look_now()


def row(run: RunSummary, columns: tuple[tuple[str, int], ...], now: float) -> Text:
    """One run in the columns given."""
    values = {
        "run": (run.id, ""),
        "status": (run_text.state(run), run_text.STYLES[run.status]),
        "step": (run_text.steps(run), ""),
        "loss": (run_text.headline(run), ""),
        "time": (run_text.when(run, now), ""),
        "model": (run.model, ""),
        "data set": (run.dataset, "dim"),
    }
    return table_line(columns, values)


def detail(run: RunSummary, width: int, now: float) -> Text:
    """Four lines on one run: what it is, where it stands, what went wrong, what to do."""
    lines = Text(no_wrap=True, overflow="ellipsis")
    result = f" → {run.output_model}" if run.output_model else ""
    data = f" · data set {run.dataset}" if run.dataset else ""
    started = f"started {run_text.ago(run.started or run.created, now)}"
    lines.append(run_text.cut(run_text.plain(f"{run.model}{result}{data} · {started}"), width) + "\n")
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
    for alert in run.alerts[-1:]:
        said = f"! step {alert.step}: {run_text.plain(alert.message)}"
        lines.append("\n" + run_text.cut(said, width), style="#e69f00")
    return lines
