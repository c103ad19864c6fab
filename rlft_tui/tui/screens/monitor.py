"""One run, live: curves, samples, output and alerts; stop and resume."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static
from textual.worker import WorkerError

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.runs.methods import METHODS
from rlft_tui.runs.run_event import number
from rlft_tui.runs.run_setting import RunSetting
from rlft_tui.runs.run_status import ACTIVE, RESUMABLE, RunSummary, never_began
from rlft_tui.samples.sample_pair import sample_pair
from rlft_tui.tui import run_text
from rlft_tui.tui.alarm_bell import bell_of
from rlft_tui.tui.log_tail import last_lines
from rlft_tui.tui.run_list import data_name
from rlft_tui.tui.run_table import unseen_alerts
from rlft_tui.tui.screens.watching import WatchingScreen
from rlft_tui.tui.views.alerts_view import AlertsView
from rlft_tui.tui.views.curves_view import CurvesView
from rlft_tui.tui.views.limits_pane import LimitsPane
from rlft_tui.tui.views.log_view import LogView
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.views.samples_view import SamplesView
from rlft_tui.tui.views.usage_view import UsageView
from rlft_tui.tui.widgets.chart import Chart

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

ACTIVE_SECONDS = 0.5
ENDED_SECONDS = 2.0
WIDE = 100
"""Columns from which the number of samples stands in its tab."""
TAB_MARGINS = 3
"""Blank columns beside the tabs and the place in the view."""
ANSWER_SECONDS = 1.0
"""How long keys wait for the dialog that needs an answer of the server first."""
FAILURE_BYTES = 4096
TABS: dict[str, str] = {"curves": "c", "samples": "s", "output": "o", "alerts": "a", "usage": "d"}


class MonitorScreen(WatchingScreen):
    """Two lines on the run, what went wrong if anything did, and one of four views."""

    KEY = "monitor"
    PARTS: ClassVar[Mapping[str, tuple[type[Widget], ...]]] = {
        "curves": (CurvesView, Chart),
        "samples": (SamplesView,),
        "output": (LogView,),
        "alerts": (AlertsView, LimitsPane),
    }
    HELP = "The run goes on when this screen, the server or the connection ends."
    CHANGES_KEYS = frozenset({"leader", "view", "metrics", "over", "search", "limits", "edit"})
    KEPT_BACK = frozenset({"stop", "resume", "clone"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "view('curves')", "curves", show=False, id="monitor.curves",
                tooltip="Curves: the metrics over the steps"),
        Binding("s", "view('samples')", "samples", show=False, id="monitor.samples",
                tooltip="Samples: generations by step"),
        Binding("o", "view('output')", "output", show=False, id="monitor.output",
                tooltip="Output: what the job printed"),
        Binding("a", "view('alerts')", "alerts", show=False, id="monitor.alerts",
                tooltip="Alerts: what deserves a look"),
        Binding("d", "view('usage')", "usage", show=False, id="monitor.usage",
                tooltip="Devices: processor, memory, disk and GPU of run and machine"),
        Binding("left_square_bracket,left", "turn(-1)", "back", show=False, id="monitor.back",
                tooltip="Page of curves or step of samples before"),
        Binding("right_square_bracket,right", "turn(1)", "page/step", id="monitor.forward",
                tooltip="Next page of curves or step of samples"),
        Binding("comma", "prompt(-1)", "prompt before", show=False, id="monitor.prompt_back",
                tooltip="The sample on the prompt before"),
        Binding("full_stop", "prompt(1)", "next prompt", id="monitor.prompt",
                tooltip="The sample on the next prompt"),
        Binding("m", "metrics", "metrics", id="monitor.metrics", tooltip="Choose the metrics shown"),
        Binding("u", "over", "runs", id="monitor.over", tooltip="Draw other runs over this one"),
        Binding("x", "stop", "stop", id="monitor.stop", tooltip="Save a checkpoint, verify it, end the run"),
        Binding("r", "resume", "resume", id="monitor.resume", tooltip="Go on from the last good checkpoint"),
        Binding("n", "clone", "clone", id="monitor.clone",
                tooltip="Launch form with this run's settings; the new run names it as its parent"),
        Binding("escape", "leave", "runs", id="monitor.leave", tooltip="Back to the list of runs"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    MonitorScreen #headline, MonitorScreen #progress { height: 1; padding: 0 1; }
    MonitorScreen #headline { text-style: bold; }
    MonitorScreen #failure { height: auto; max-height: 7; padding: 0 1; background: $surface; display: none; }
    MonitorScreen #tabs { height: 1; background: $surface; }
    MonitorScreen #tab-names { width: auto; padding: 0 1 0 0; }
    MonitorScreen #tab-place { width: 1fr; text-align: right; padding: 0 1; color: $text-muted; }
    MonitorScreen #views { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.run: RunSummary | None = None
        self._wanted = ""
        self._gone = False
        """Whether the run that is wanted is no longer there."""
        self._said: dict[str, Text] = {}
        self._last_output: list[str] = []
        self._output_of: tuple[str, int, str] | None = None

    def body(self) -> Iterable[Widget]:
        yield Static(" reading runs …", id="headline")
        yield Static("", id="progress")
        yield Static("", id="failure")
        yield Horizontal(Static("", id="tab-names"), Static("", id="tab-place", markup=False), id="tabs")
        yield ContentSwitcher(
            CurvesView(id="curves"), SamplesView(id="samples"), LogView(id="output"), AlertsView(id="alerts"),
            UsageView(id="usage"),
            initial="curves", id="views",
        )  # fmt: skip

    # reading
    def opened(self, run_id: str = "", over: tuple[RunSummary, ...] | None = None, **values: Any) -> None:
        """``run_id``: which run; without it the one shown before, or the newest, active ones first.

        ``over``: the runs drawn over it; None leaves those that are. Another run begins with its
        curves, the same one with what was open.
        """
        if self._gone and not run_id:
            self._wanted = ""
        self._gone = False
        if (run_id and run_id != self._wanted) or over:
            self._wanted = run_id or self._wanted
            self.run = None
            for view in self.query(RunView):
                view.clear()
            self.query_one("#views", ContentSwitcher).current = "curves"
            self.query_one(CurvesView).draw_over(list(over or ()))
            self._paint_tabs()
        elif over is not None and self.query_one(CurvesView).book.others:
            self.query_one(CurvesView).draw_over([])
        super().opened(**values)
        self.view.focus_inside()

    async def look(self) -> float:
        link = self.bench.link
        if not self._wanted:
            runs = await link.call(lambda client: client.runs())
            if not runs:
                none = "No runs yet" + ("" if self.bench.elsewhere else ": l in Runs opens the launch form")
                self._say("headline", Text(none, style="dim"))
                return ENDED_SECONDS
            self._wanted = next((run.id for run in runs if run.status in ACTIVE), runs[0].id)
        run_id = self._wanted
        try:
            run = await link.call(lambda client: client.run(run_id))
        except NotFoundError:
            # No other run in its place: a key that stops a run would stop that one.
            if self._gone:
                return ENDED_SECONDS
            self.run, self._gone = None, True
            self._say("headline", Text(f"{run_text.plain(run_id)} is gone", style=run_text.STYLES["failed"]))
            self._say("progress", Text("esc: the list of runs", style="dim"))
            self.refresh_bindings()
            return ENDED_SECONDS
        if run_id != self._wanted:
            return 0.0
        bell_of(self.app).heed([run])
        changed = self.run is None or self.run.status != run.status
        self.run = run
        if changed:
            self.refresh_bindings()
        await self._read_failure(run)
        self._paint()
        await self.view.read(link, run)
        self._paint_tabs()
        return ACTIVE_SECONDS if run.status in ACTIVE else ENDED_SECONDS

    def look_failed(self, error: RlftError) -> None:
        if self.run is None:
            self._say("headline", Text(run_text.plain(str(error)), style=run_text.STYLES["failed"]))
        else:
            super().look_failed(error)

    async def _read_failure(self, run: RunSummary) -> None:
        """The last lines of output of a run that ended badly, read once an ending."""
        ending = (run.id, run.attempt, run.status)
        if ending == self._output_of:
            return
        lines: list[str] = []
        if run_text.cause(run):
            page = await self.bench.link.call(lambda client: client.log(run.id, limit=FAILURE_BYTES))
            lines = last_lines(page.text, 3)
        self._last_output, self._output_of = lines, ending

    # drawing
    @property
    def view(self) -> RunView:
        return self.query_one(f"#{self.query_one('#views', ContentSwitcher).current}", RunView)

    def on_resize(self) -> None:  # type: ignore[override]
        self._paint()

    def _say(self, name: str, text: Text) -> None:
        """Update a line only when it says something else."""
        if self._said.get(name) != text:
            self._said[name] = text
            self.query_one(f"#{name}", Static).update(text)

    def _paint(self) -> None:
        run = self.run
        if run is None:
            return
        width = self.size.width - 2
        self._say("headline", headline(run, width))
        self._say("progress", progress(run, width))
        failure = failure_text(run, self._last_output, width)
        self.query_one("#failure").display = bool(failure.plain)
        self._say("failure", failure)
        self._paint_tabs()

    def _paint_tabs(self) -> None:
        place = self.view.place
        line = self._tabs(full=True)
        if cell_len(line.plain) + cell_len(place) + TAB_MARGINS > self.size.width:
            line = self._tabs(full=False)
        self._say("tab-names", line)
        self._say("tab-place", Text(place))

    def _tabs(self, *, full: bool) -> Text:
        """Key and name of each view; not ``full``: the last one is its key alone."""
        current = self.query_one("#views", ContentSwitcher).current
        line = Text(no_wrap=True)
        for name, key in TABS.items():
            count = self.query_one(f"#{name}", RunView).count
            if name == "alerts" and self.run is not None:
                count = unseen_alerts(self.run) or len(self.run.alerts)
            wide, here = self.size.width >= WIDE, name == current
            counted = bool(count) and (name == "alerts" or wide)
            word = name.capitalize() if full or here or name != "usage" else "…"
            title = f" {key} {word}{f' {count}' if counted else ''}{' ' if wide or here else ''}"
            line.append(title, style="bold reverse" if name == current else "none")
        return line

    # actions
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        current = self.query_one("#views", ContentSwitcher).current if self.is_mounted else "curves"
        if action == "prompt":
            return current == "samples"
        if action in ("metrics", "over"):
            return current == "curves"
        if action == "clone":
            return self.run is not None and self.run.method in METHODS
        if action == "stop":
            return self.run is not None and self.run.status in ACTIVE
        if action == "resume":
            return self.run is not None and self.run.status in RESUMABLE
        return super().check_action(action, parameters)

    def action_view(self, name: str) -> None:
        self.query_one("#views", ContentSwitcher).current = name
        self.view.focus_inside()
        self._paint_tabs()
        self.refresh_bindings()
        self.look_now()

    def action_turn(self, by: int) -> None:
        self.view.turn(by)
        self._paint_tabs()
        self.look_now()

    def action_prompt(self, by: int) -> None:
        self.view.turn_prompt(by)
        self._paint_tabs()

    def action_metrics(self) -> None:
        from rlft_tui.tui.screens.metric_picker import MetricPicker

        curves = self.query_one(CurvesView)
        if self.run is not None:
            self.app.push_screen(MetricPicker(curves.pages, self.run))

    async def action_over(self) -> None:
        """Choose among the other runs which are drawn over this one."""
        from rlft_tui.tui.screens.run_picker import RunPicker

        curves = self.query_one(CurvesView)

        def choose(runs: tuple[RunSummary, ...]) -> None:
            others = [each for each in runs if each.id != self._wanted and each.metrics]
            picker = RunPicker(others, list(curves.book.others))
            self.app.push_screen(picker, lambda picked: self._draw_over(picked or []))

        asked = self.call(lambda client: client.runs(), choose, group="over", latest=True)
        with suppress(TimeoutError, WorkerError):
            await asyncio.wait_for(asyncio.shield(asked.wait()), ANSWER_SECONDS)

    def _draw_over(self, runs: list[RunSummary]) -> None:
        self.query_one(CurvesView).draw_over(runs)
        self.look_now()

    @on(CurvesView.ExportWanted)
    def _export_wanted(self, event: CurvesView.ExportWanted) -> None:
        def into(ending: str) -> Callable[[], None]:
            return lambda: self._export(event.keys, ending)

        what = event.keys[0] if len(event.keys) == 1 else f"{len(event.keys)} charts"
        self.lead(f"write {run_text.cut(run_text.plain(what), 24)}:  s SVG · p PNG · c values as CSV",
                  {"s": into(".svg"), "p": into(".png"), "c": into(".csv")})  # fmt: skip

    def _export(self, keys: list[str], ending: str) -> None:
        from rlft_tui.tui.curve_export import file_of, save_values
        from rlft_tui.tui.widgets.chart_picture import save_picture

        curves, folder = self.query_one(CurvesView), self.bench.workspace.exports
        runs = [(run.id, [key for key in keys if key in run.metrics]) for run in curves.runs]
        drawings = [curves.drawing(key) for key in keys]

        def write(client: WorkspaceClient) -> list[Path]:
            if ending == ".csv":
                return [save_values(client, folder, runs, keys[0] if len(keys) == 1 else "curves")]
            return [save_picture(one, file_of(folder, runs[0][0], one.title, ending)) for one in drawings]

        self.call(write, self._exported, group="export", retry=False)

    def _exported(self, paths: list[Path]) -> None:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        self.notify(f"{paths[0]}{more}", title="Written", timeout=8, markup=False)

    @on(SamplesView.PairWanted)
    def _pair_wanted(self, event: SamplesView.PairWanted) -> None:
        """Two samples go to labelling; the label screen shows them blind, like any pair."""
        run_id, (first, second) = self._wanted, event.steps

        def send(client: WorkspaceClient) -> int:
            samples = [
                next(one for one in client.samples_at(run_id, step) if one.index == event.index)
                for step in event.steps
            ]
            return client.add_pairs([sample_pair(*samples)])

        def told(added: int) -> None:
            done = "waits in Label (2)" if added else "was there already"
            self.notify(f"The pair of steps {first} and {second} {done}", timeout=6, markup=False)

        self.call(send, told)

    @on(CurvesView.NewsWanted)
    @on(SamplesView.TextsWanted)
    @on(LogView.NewsWanted)
    @on(AlertsView.NewsWanted)
    def _news_wanted(self) -> None:
        self._paint_tabs()
        self.look_now()

    @on(AlertsView.StepWanted)
    def _step_wanted(self, event: AlertsView.StepWanted) -> None:
        """The curves with their cursor on an alarm's step; the samples follow."""
        self.action_view("curves")
        self.query_one(CurvesView).go_to(event.step)

    @on(AlertsView.LimitChanged)
    def _limit_changed(self, event: AlertsView.LimitChanged) -> None:
        """Another alarm limit or interval; the job says in its log from which step on."""
        run_id, view = self._wanted, self.query_one(AlertsView)

        def told(found: tuple[RunSetting, ...]) -> None:
            view.limits.show(found)
            going = self.run is not None and self.run.status in ("starting", "running")
            when = "the job takes it at its next step" if going else "it holds when the run goes on"
            self.notify(f"{event.name} = {event.value}: {when}", timeout=5, markup=False)

        self.call(lambda client: client.change_run(run_id, {event.name: event.value}), told)

    @on(AlertsView.Remarked)
    def _remarked(self, event: AlertsView.Remarked) -> None:
        run_id = self._wanted
        self.call(lambda client: client.remark(run_id, **event.changes), self._changed)

    @on(CurvesView.StepChosen)
    def _step_chosen(self, event: CurvesView.StepChosen) -> None:
        self.query_one(SamplesView).go_to(event.step)

    def action_clone(self) -> None:
        if self.run is not None:
            self.bench.show_screen("launch", clone=self.run.id)

    def action_leave(self) -> None:
        self.bench.show_screen("runs")

    def action_stop(self) -> None:
        if self.run is not None and self.run.status in ACTIVE:
            self.lead("stop after a checkpoint?  y yes · any other key no",
                      {"y": partial(self._stop, self.run.id)})  # fmt: skip

    def _stop(self, run_id: str) -> None:
        self.call(lambda client: client.stop(run_id), self._changed)

    def action_resume(self) -> None:
        run = self.run
        if run is not None and run.status in RESUMABLE:
            self.call(lambda client: client.resume(run.id), self._changed, retry=False)

    def _changed(self, run: RunSummary) -> None:
        if run.id == self._wanted:
            self.run = run
            self._paint()
            self.refresh_bindings()
            self.look_now()


def headline(run: RunSummary, width: int) -> Text:
    """Status, id, model and data set."""
    line = Text(no_wrap=True)
    line.append(run_text.label(run), style=run_text.STYLES[run.status])
    attempt = f" · attempt {run.attempt}" if run.attempt > 1 else ""
    result = f" → {run.output_model}" if run.output_model and run.output_model != run.id else ""
    data = f" · data set {data_name(run)}" if run.dataset else ""
    rest = run_text.plain(f"  {run.id}  {run.model}{result}{data}{attempt}")
    line.append(" " + run_text.cut(rest.strip(), width - len(line.plain) - 1))
    return line


def progress(run: RunSummary, width: int) -> Text:
    """Bar, steps, stage or time left, then device, memory and checkpoint as far as they fit."""
    line = Text(no_wrap=True)
    line.append(run_text.progress_bar(run, 16), style=run_text.STYLES[run.status])
    parts = [f"{run_text.steps(run)} {run_text.made(run)}".rstrip()]
    if run.status in ACTIVE:
        parts += [run_text.time_left(run), run_text.stage(run)]
    elif run.ended and not (run.method == "imported" and run.started is None):
        took = run_text.duration(run.ended - (run.started or run.created))
        parts.append(f"took {took}")
    if speed := run.metrics.get("tokens_per_second"):
        parts.append(f"{number(speed) or 0:.0f} tokens/s")
    parts.append(run.device)
    parts.append(run_text.megabytes(run.memory_mb) if run.memory_mb else "")
    parts.append(run_text.checkpoint(run))
    room = width - cell_len(line.plain)
    for at, part in enumerate(part for part in parts if part):
        text = f"{'  ' if at == 0 else ' · '}{run_text.plain(part)}"
        if cell_len(text) > room:
            break
        line.append(text)
        room -= cell_len(text)
    return line


def failure_text(run: RunSummary, output: list[str], width: int) -> Text:
    """Cause, last lines of output, and what to do; empty for a run that is well."""
    text = Text(no_wrap=True)
    cause = run_text.cause(run)
    if cause:
        text.append(run_text.cut(f"✗ {cause}", width), style=run_text.STYLES["failed"])
        told = run.error.removeprefix("RlftError: ")
        for line in (line for line in output if not told or not line.startswith(told)):
            text.append("\n" + run_text.cut(f"  │ {run_text.plain(line)}", width), style="dim")
        text.append("\n" + run_text.cut(f"  {run_text.resume_advice(run)}", width), style="bold")
    elif run.status == "stopped":
        how = "cancelled before it started" if never_began(run) else "stopped as asked"
        text.append(run_text.cut(f"■ {how}; {run_text.resume_advice(run)}", width))
    if run.trouble:
        start = "\n" if text.plain else ""
        text.append(start + run_text.cut(f"! {run_text.plain(run.trouble)}", width), style="#e69f00")
    return text
