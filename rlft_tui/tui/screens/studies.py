"""Searches of settings: the studies, the trials of one, and which settings matter."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from rlft_tui.runs.spec_fields import as_text
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow, fitting, table_head, table_line
from rlft_tui.tui.screens.watching import WatchedListScreen
from rlft_tui.tui.widgets.harmless import harmless_line
from rlft_tui.tuning.study_view import Study, StudyDetail, StudyTrial

LOOK_SECONDS = 2.0
WIDE = 100
"""Columns from which the metric's name has room."""
READING_TRIALS = "reading trials …"
COLUMNS: tuple[tuple[str, int], ...] = (
    ("study", 20),
    ("status", 10),
    ("trials", 8),
    ("pruned", 6),
    ("best", 10),
    ("metric", 20),
    ("begun", 9),
    ("failed", 6),
)
GLYPHS = {"queued": "…", "running": "▶", "complete": "✓", "pruned": "✂", "failed": "✗"}
STYLES = {"queued": "dim", "running": "#56b4e9", "complete": "", "pruned": "dim", "failed": "bold #ff8c5a"}


class StudiesScreen(WatchedListScreen):
    """Enter opens a study: its trials, best first, and the importance of each setting."""

    KEY = "studies"
    HELP = (
        "Each trial is a run in the line. One worse than the median of the others at the same step is "
        "ended early. Importance: the share of the difference between good and bad trials (PED-ANOVA)."
    )
    AUTO_FOCUS = LIST = "#studies"
    KEPT_BACK = frozenset({"stop", "resume"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", id="studies.open", tooltip="Its trials; then the run of a trial"),
        Binding("x", "stop", "stop", id="studies.stop", tooltip="Begin no more trials, stop those under way"),
        Binding("r", "resume", "resume", id="studies.resume", tooltip="Go on with it"),
        Binding(
            "c",
            "clone",
            "launch best",
            id="studies.clone",
            tooltip="Launch form with the best trial's settings",
        ),
        Binding("escape", "leave", "back", id="studies.leave", tooltip="Back to the studies; then to Runs"),
    ]
    DEFAULT_CSS = """
    StudiesScreen #pages { height: 1fr; }
    StudiesScreen #detail { height: 6; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.studies: tuple[Study, ...] = ()
        self.detail: StudyDetail | None = None
        self._open = ""

    def body(self) -> Iterable[Widget]:
        with ContentSwitcher(initial="studies", id="pages"):
            yield ListPane(empty="reading studies …", id="studies")
            yield ListPane(empty=READING_TRIALS, id="trials")
        yield Static("", id="detail", markup=False)

    async def look(self) -> float:
        self.studies = await self.bench.link.call(lambda client: client.studies())
        name = self._open or (self.selected.name if self.selected else "")
        if not name and self.studies:
            name = self.studies[0].name
        self.detail = await self.bench.link.call(lambda client: client.study(name)) if name else None
        self.show()
        self.refresh_bindings()
        return LOOK_SECONDS

    # drawing
    def draw(self) -> None:
        now = time.time()
        columns = fitting(COLUMNS, self.size.width)
        self.pane.show(
            [ListRow(one.name, table_line(columns, _cells(one, now))) for one in self.studies],
            table_head(columns),
            empty="No studies yet: rlft tune SPEC.toml begins one",
        )
        if self.detail is not None and self._open == self.detail.study.name:
            self._paint_trials(self.detail)
        self._paint_detail()

    def _paint_trials(self, found: StudyDetail) -> None:
        names = list(dict.fromkeys(name for trial in found.trials for name in trial.params))
        metric = found.study.metric[: 24 if self.size.width >= WIDE else 16]
        columns = (
            ("trial", 5), ("state", 10), (metric, max(16, len(metric))), ("step", 6),
            *((run_text.plain(name)[:16], min(16, max(8, len(name)))) for name in names), ("run", 20),
        )  # fmt: skip
        shown = fitting(columns, self.size.width)
        rows = []
        for trial in ordered(found):
            values = {
                "trial": (str(trial.number), ""),
                "state": (f"{GLYPHS[trial.state]} {trial.state}", STYLES[trial.state]),
                metric: (run_text.figure(trial.value), _best_style(found, trial)),
                "step": (f"{trial.step:,}" if trial.step else "–", "dim"),
                "run": (trial.run_id, "dim"),
                **{
                    run_text.plain(name)[:16]: (as_text(_short(trial.params.get(name))), "") for name in names
                },
            }
            rows.append(ListRow(str(trial.number), table_line(shown, values)))
        self.query_one("#trials", ListPane).show(rows, table_head(shown), empty="no trial yet")

    def _paint_detail(self) -> None:
        found = self.detail
        width = self.size.width - 2
        lines = [] if found is None else detail_lines(found, width)
        trial = self.trial
        if self._open and trial is not None and trial.reason:
            lines.append(f"trial {trial.number}: {trial.reason}")
        # Their columns stay: names among them are harmless by now.
        text = "\n".join(run_text.cut(harmless_line(line), width) for line in lines[:6])
        self.say("#detail", text)

    # choosing
    @property
    def selected(self) -> Study | None:
        key = self.pane.key
        return next((one for one in self.studies if one.name == key), None)

    @property
    def trial(self) -> StudyTrial | None:
        """The trial under the cursor."""
        key = self.query_one("#trials", ListPane).key
        return next(
            (one for one in (self.detail.trials if self.detail else ()) if str(one.number) == key), None
        )

    @on(ListPane.Moved)
    def _moved(self) -> None:
        if self._open:
            self._paint_detail()
        else:
            self.look_now()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("open", "stop", "resume", "clone") and self.is_mounted:
            study = self.selected
            if action == "stop":
                return study is not None and study.status == "running"
            if action == "resume":
                return study is not None and study.status in ("stopped", "failed")
            if action == "clone":
                return study is not None and study.best is not None
            return study is not None
        return super().check_action(action, parameters)

    # actions
    @on(ListPane.Chosen)
    def action_open(self) -> None:
        if self._open:
            if (trial := self.trial) is not None:
                self.bench.show_screen("monitor", run_id=trial.run_id)
            return
        if (study := self.selected) is not None:
            self._open = study.name
            self.query_one(ContentSwitcher).current = "trials"
            trials = self.query_one("#trials", ListPane)
            trials.show((), empty=READING_TRIALS)
            trials.focus()
            self.look_now()

    def action_stop(self) -> None:
        if (study := self.selected) is not None:
            self.call(lambda client: client.stop_study(study.name), lambda _: self.look_now(), retry=False)

    def action_resume(self) -> None:
        if (study := self.selected) is not None:
            self.call(lambda client: client.resume_study(study.name), lambda _: self.look_now(), retry=False)

    def action_clone(self) -> None:
        if (study := self.selected) is not None and study.best is not None:
            self.bench.show_screen("launch", clone=study.best.run_id)

    def action_leave(self) -> None:
        if self._open:
            self._open = ""
            self.query_one(ContentSwitcher).current = "studies"
            self.pane.focus()
            self.paint()
        else:
            self.bench.show_screen("runs")


def ordered(found: StudyDetail) -> list[StudyTrial]:
    """Complete trials best first, then those under way, pruned and failed."""
    sign = 1 if found.study.direction == "minimize" else -1
    place = {"complete": 0, "running": 1, "queued": 2, "pruned": 3, "failed": 4}
    return sorted(found.trials, key=lambda one: (place[one.state], sign * (one.value or 0.0), one.number))


def detail_lines(found: StudyDetail, width: int) -> list[str]:
    """Where a study stands, its best trial, and a bar for each setting's importance."""
    study = found.study
    done = f"{study.complete + study.pruned} of {study.trials} done"
    counts = f"{done}, {study.pruned} pruned, {study.failed} failed"
    lines = [f"{study.name}: {study.direction} {study.metric} of {study.method} · {counts}"]
    if study.error:
        lines.append(f"! {study.error}")
    if study.best is not None:
        chosen = ", ".join(f"{name} {as_text(_short(value))}" for name, value in study.best.params.items())
        lines.append(f"best: {run_text.figure(study.best.value)} with {chosen}")
    if found.importance:
        room = max(8, min(24, width - 34))
        for name, share in list(found.importance.items())[:3]:
            bar = "█" * round(share * room)
            lines.append(f"{run_text.cut(run_text.plain(name), 22):<22} {share:>4.0%} {bar}")
    elif study.complete:
        lines.append("which settings matter: told from four complete trials on")
    return lines


def _cells(one: Study, now: float) -> dict[str, tuple[str, str]]:
    glyph = {"running": "▶", "stopped": "■", "finished": "✓", "failed": "✗"}[one.status]
    return {
        "study": (one.name, ""),
        "status": (f"{glyph} {one.status}", STYLES["failed"] if one.status == "failed" else ""),
        "trials": (f"{one.complete + one.pruned}/{one.trials}", ""),
        "pruned": (str(one.pruned), "dim"),
        "best": (run_text.figure(one.best.value) if one.best else "–", ""),
        "metric": (one.metric, "dim"),
        "begun": (run_text.ago(one.created, now), ""),
        "failed": (str(one.failed), "dim"),
    }


def _best_style(found: StudyDetail, trial: StudyTrial) -> str:
    best = found.study.best
    return "bold #56b4e9" if best is not None and best.number == trial.number else ""


def _short(value: object) -> object:
    """A number in few digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
