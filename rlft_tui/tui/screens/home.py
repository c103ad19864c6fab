"""Home: where the loop stands, what is running, and what to do next."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.counted import counted
from rlft_tui.errors import RlftError
from rlft_tui.runs.run_status import ACTIVE, RunSummary, in_order, status_word
from rlft_tui.server.answers import Home
from rlft_tui.tui import run_text, statistics_text
from rlft_tui.tui.alarm_bell import bell_of
from rlft_tui.tui.next_step import NextStep, next_step
from rlft_tui.tui.screen_registry import SCREENS
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.server_link import LinkState
from rlft_tui.tui.widgets.cells import cell_width

REFRESH_SECONDS = 2.0
RECENT = 6
"""Ended runs listed."""


class HomeScreen(WorkbenchScreen):
    """Where the loop stands and what to do next."""

    KEY = "home"
    HELP = "Where the loop stands, and the next thing to do on the way around it."
    DEFAULT_CSS = """
    HomeScreen VerticalScroll { padding: 1 2; }
    HomeScreen Static { height: auto; }
    HomeScreen #next { border-left: outer $primary; padding: 0 1; background: $boost; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "next_step", "do what is next", id="home.next", tooltip="Do what is next"),
        Binding("2", "app.show_screen('label')", "label", id="home.label", tooltip="Label pairs"),
        Binding("3", "app.show_screen('data')", "data", id="home.data", tooltip="Prompts, pairs, data sets"),
        Binding("4", "app.show_screen('runs')", "runs", id="home.runs", tooltip="Runs and launching"),
        Binding("5,f5", "monitor", "monitor", show=False, id="home.monitor", tooltip="Watch the run named"),
        Binding(
            "w", "app.show_screen('rounds')", "rounds", id="home.rounds", tooltip="Promote, reject, go on"
        ),
        Binding("q", "app.quit", "leave", id="home.leave", tooltip="Leave the workbench"),
        Binding(
            "e",
            "app.show_screen('evaluations')",
            "evaluations",
            id="home.evaluations",
            tooltip="What was measured of the models",
        ),
        Binding(
            "t",
            "app.show_screen('statistics')",
            "statistics",
            id="home.statistics",
            tooltip="Pace, biases, agreement and who is ahead",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._home: Home | None = None
        self._step: NextStep | None = None
        self._timer: Timer | None = None

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(can_focus=False):
            yield Static("Asking the workspace server…", id="next", markup=False)
            yield Static(id="loop", markup=False)
            yield Static(id="runs", markup=False)

    # refresh
    def opened(self, **_: Any) -> None:
        self._ask()
        if self._timer is None:
            self._timer = self.set_interval(REFRESH_SECONDS, self._ask)
        else:
            self._timer.resume()

    def on_screen_suspend(self) -> None:
        if self._timer is not None:
            self._timer.pause()

    def link_changed(self, state: LinkState, reason: str) -> None:
        super().link_changed(state, reason)
        if self._home is None and reason:
            said = f"No server yet: {reason}" if state == "lost" else reason
            self.say("#next", Content(run_text.plain(said)))

    def _ask(self) -> None:
        labeler = self.bench.settings.labeler
        self.call(
            lambda client: client.home(labeler), self._show, failed=self._failed, group="home", latest=True
        )

    def _failed(self, error: RlftError) -> None:
        if self._home is None:
            self.query_one("#next", Static).update(Content(run_text.plain(str(error))))

    def _show(self, home: Home) -> None:
        """Paint only what differs from what is on screen."""
        self._home = home
        bell_of(self.app).heed(home.runs)
        self._step = next_step(home)
        width = max(30, self.size.width - 6)
        for name, content in (
            ("#next", next_text(self._step)),
            ("#loop", loop_text(home)),
            ("#runs", runs_text(home, time.time(), width)),
        ):
            self.say(name, content)

    def action_next_step(self) -> None:
        if self._step is not None and self._step.screen:
            self._show_screen(self._step.screen)
        elif self._step is not None and self._step.command:
            self.bench.copy_to_clipboard(self._step.command)
            self.notify(f"Copied: {self._step.command}", markup=False)

    def action_monitor(self) -> None:
        """The monitor on the run that the next step names, as Enter would open it."""
        self._show_screen("monitor")

    def _show_screen(self, screen: str) -> None:
        step = self._step
        about = {"run_id": step.run_id} if step is not None and step.screen == screen and step.run_id else {}
        self.bench.show_screen(screen, **about)


def next_text(step: NextStep) -> Content:
    """The sentence and the key to press, or the command to type."""
    if step.screen:
        entry = SCREENS[step.screen]
        keys = f"⏎ or {entry.digit or 'w'}"
        key = Content.assemble("Press ", (keys, "$text-accent bold"), f" for {entry.title}.")
    else:
        key = Content.assemble("In a shell: ", (step.command, "$text-accent bold"))
    return Content("\n").join([Content.styled(run_text.plain(step.sentence), "bold"), key])


def loop_text(home: Home) -> Content:
    """The counts, in the order of the loop."""
    counts = (
        (home.prompts, "prompt"),
        (home.pairs, "pair"),
        (home.labels, "label"),
        (len(home.datasets), "data set"),
        (home.run_count, "run"),
        (len(home.models), "model"),
    )
    steps = [
        Content.assemble((f"{count:,}", "bold"), f" {name}" if count == 1 else f" {name}s")
        for count, name in counts
    ]
    lines = [Content.styled(" → ", "dim").join(steps)]
    about = []
    if home.pairs:
        about.append(f"{counted(home.unlabelled, 'pair')} unlabelled")
    if home.labels_by_judges:
        about.append(f"{counted(home.labels_by_judges, 'label')} by judges")
    if home.datasets:
        newest = max(home.datasets, key=lambda dataset: dataset.created_at)
        name = run_text.plain(newest.name or newest.hash)
        about.append(f"{counted(home.labels_since_dataset, 'label')} since data set {name}")
    if about:
        lines.append(Content.styled(" · ".join(about), "$text-muted"))
    if home.separation is not None:
        told = statistics_text.plain(statistics_text.separation_line(home.separation))
        lines.append(Content.assemble((told, "$text-muted"), ("  F8", "$text-accent bold")))
    return Content("\n").join([*lines, Content("")])


def runs_text(home: Home, now: float, width: int) -> Content:
    """What is running, what needs a look, what ended lately."""
    lines: list[Content] = []
    active = in_order([run for run in home.runs if run.status in ACTIVE])
    ended = [run for run in home.runs if run.status not in ACTIVE][:RECENT]
    for title, waits in (("Running", False), ("In line", True)):
        runs = [run for run in active if (run.status == "queued") == waits]
        if runs:
            lines.append(Content.styled(title, "bold"))
            lines += [_active_line(run, now, width) for run in runs]
            lines.append(Content(""))
    alarms = [f"{run.id}: {alert.message}" for run in active for alert in run.alerts[-2:]]
    alarms += list(home.warnings)
    if alarms:
        lines.append(Content.styled("Needs a look", "bold"))
        lines += [
            Content.assemble(("! ", "$text-warning bold"), run_text.cut(run_text.plain(alarm), width - 2))
            for alarm in alarms
        ]
        lines.append(Content(""))
    if ended:
        lines.append(Content.styled("Lately", "bold"))
        lines += _ended_lines(ended, now, width)
    return Content("\n").join(lines)


def _active_line(run: RunSummary, now: float, width: int) -> Content:
    if run.status == "queued":
        going = run_text.plain(run.stage) or "waiting"
    else:
        bar = run_text.progress_bar(run, 20)
        going = f"{bar}  {run_text.steps(run)}  {run_text.when(run, now)}"
    text = f" {run_text.plain(run.id)}  {going}"
    return Content.assemble(
        (run_text.GLYPHS[run.status], run_text.STYLES[run.status]), run_text.cut(text, width - 1)
    )


def _ended_lines(runs: list[RunSummary], now: float, width: int) -> list[Content]:
    """One line a run, in columns: what it is, how and when it ended, what came of it."""
    columns = [
        _even([run_text.plain(run.id) for run in runs]),
        _even([f"{status_word(run)} {run_text.when(run, now)}" for run in runs]),
        [run_text.cause(run) or result_text(run) for run in runs],
    ]
    return [
        Content.assemble(
            (run_text.GLYPHS[run.status], run_text.STYLES[run.status]),
            run_text.cut(" " + "  ".join(parts), width - 1),
        )
        for run, *parts in zip(runs, *columns, strict=True)
    ]


def _even(texts: list[str]) -> list[str]:
    """All as wide as the widest."""
    widest = max(cell_width(text) for text in texts)
    return [text + " " * (widest - cell_width(text)) for text in texts]


def result_text(run: RunSummary) -> str:
    """What came of a run, in a few words."""
    if word := run_text.made(run):
        return f"{run.step:,} {word}"
    if run.method == "evaluate":
        return run_text.plain(run.model)
    # the held-out accuracy says more than that of the last batch; a run without one has no other
    held_out = "heldout/reward_accuracy" in run.metrics
    accuracy = (
        ("heldout/reward_accuracy", "held-out accuracy") if held_out else ("rewards/accuracies", "accuracy")
    )
    parts = []
    for key, name in (("loss", "loss"), accuracy):
        if key in run.first and key in run.metrics:
            parts.append(f"{name} {run_text.figure(run.first[key])} → {run_text.figure(run.metrics[key])}")
    return ", ".join(parts)
