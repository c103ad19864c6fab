"""All runs as they stand now: what goes on first, then the line, then the newest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from rlft_tui.runs.methods import METHODS
from rlft_tui.runs.remarks import split_tags
from rlft_tui.runs.run_status import ACTIVE, KILLABLE, PAUSABLE, RESUMABLE, RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.alarm_bell import bell_of
from rlft_tui.tui.list_pane import Columns, ListPane, ListRow, fitting, table_head, widened
from rlft_tui.tui.run_list import Group, RunList
from rlft_tui.tui.run_table import SPARK_POINTS, Glance, columns_for, detail, glance, row
from rlft_tui.tui.screens.watching import WatchedListScreen

LIVE_SECONDS = 0.5
QUIET_SECONDS = 2.0
OF_ONE_RUN = ("mark", "archive", "tags", "note")
GLANCES_AT_ONCE = 6
"""Curves read in one look, so that a long list is painted before all of them are there."""


class RunsScreen(WatchedListScreen):
    """Table of runs, and what is known of the one under the cursor."""

    KEY = "runs"
    HELP = "Runs go on without this screen, without the server and without the connection."
    AUTO_FOCUS = LIST = "#runs"
    CHANGES_KEYS = frozenset({"leader", "filter", "tags", "note"})
    KEPT_BACK = frozenset(
        {"launch", "clone", "stop", "pause", "resume", "move", "kill", "delete", "archive", "tags", "note"}
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "monitor", id="runs.open", tooltip="Watch this run"),
        Binding("l", "launch", "launch", id="runs.launch", tooltip="Launch form for training or generating"),
        Binding("n", "clone", "clone", id="runs.clone",
                tooltip="Launch form with this run's settings; the new run names it as its parent"),
        Binding("x", "stop", "stop", id="runs.stop", tooltip="Save a checkpoint, verify it, end the run"),
        Binding(
            "p", "pause", "pause", id="runs.pause", tooltip="Save, free the device, keep the place in line"
        ),
        Binding("r", "resume", "resume", id="runs.resume", tooltip="Go on from the last verified checkpoint"),
        Binding("K", "move('up')", "up", id="runs.up", tooltip="One place further up the line"),
        Binding("J", "move('down')", "down", id="runs.down", tooltip="One place further down the line"),
        Binding("X", "kill", "kill", id="runs.kill", tooltip="End the job at once, without saving"),
        Binding("d", "delete", "delete", id="runs.delete", tooltip="Delete the run and its folder"),
        Binding("space", "mark", "mark", id="runs.mark",
                tooltip="Mark for comparing; Enter on one overlays them"),
        Binding("c", "compare", "compare", id="runs.compare",
                tooltip="Settings, data, curves and samples of the marked runs side by side"),
        Binding("slash", "filter", "filter", id="runs.filter",
                tooltip="Filter: words, tag:x status:failed data:x loss<0.5"),
        Binding("s", "sort", "sort", id="runs.sort", tooltip="Sort by time, metric, status, model, …"),
        Binding("S", "backwards", "reverse", show=False, id="runs.backwards", tooltip="The other way round"),
        Binding("v", "group", "group", show=False, id="runs.group",
                tooltip="Group by method, data set, model, tag or status"),
        Binding("m", "metric(1)", "metric", show=False, id="runs.metric",
                tooltip="Another metric in the table"),
        Binding("M", "metric(-1)", "metric before", show=False, id="runs.metric_back",
                tooltip="The metric before"),
        Binding("T", "app.show_screen('studies')", "studies", id="runs.studies",
                tooltip="Searches of settings: trials and what matters"),
        Binding("t", "tags", "tags", show=False, id="runs.tags", tooltip="Tags, separated by spaces"),
        Binding("e", "note", "note", show=False, id="runs.note", tooltip="A note on the run"),
        Binding("a", "archive", "archive", show=False, id="runs.archive",
                tooltip="Put the run away, or take it back; nothing is deleted"),
        Binding("A", "archived", "archived", show=False, id="runs.archived",
                tooltip="Show the runs that were put away, or not"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    RunsScreen #runs { height: 1fr; }
    RunsScreen #asked { height: 1; padding: 0 1; color: $text-muted; display: none; }
    RunsScreen #runs-input { display: none; margin: 0 1; }
    RunsScreen #detail { height: 4; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.list = RunList()
        self._glances: dict[tuple[str, str], tuple[object, Glance]] = {}
        """By run and metric: for what it was read, and what it says."""
        """What the input line is for: filter, tags or note."""

    @property
    def runs(self) -> tuple[RunSummary, ...]:
        return self.list.runs

    def body(self) -> Iterable[Widget]:
        yield Static("", id="asked", markup=False)
        yield ListPane(empty="reading runs …", id="runs")
        hint = "words, tag:x status:failed method:dpo data:x loss<0.5"
        box = Input(placeholder=hint, compact=True, id="runs-input", select_on_focus=False)
        box.cursor_blink = False
        yield box
        yield Static("", id="detail")

    def opened(self, *, run_id: str = "", **values: Any) -> None:
        """``run_id``: the run to put the cursor on."""
        super().opened(key=run_id, **values)

    async def look(self) -> float:
        self._take(await self.bench.link.call(lambda client: client.runs()))
        bell_of(self.app).heed(self.runs)
        if await self._read_glances():
            return 0.0
        return LIVE_SECONDS if any(run.status in ACTIVE for run in self.runs) else QUIET_SECONDS

    def _take(self, runs: Iterable[RunSummary]) -> None:
        """Show these; the key bar follows a run that came to stand otherwise."""
        before = [(run.id, run.status) for run in self.runs]
        self.list.take(runs)
        self.show()
        if before != [(run.id, run.status) for run in self.runs]:
            self.refresh_bindings()

    async def _read_glances(self) -> bool:
        """Read some of the curves that are missing, and those of active runs now and then; True for more."""
        if not {"best", "curve"} & {title for title, _ in fitting(columns_for(""), self.size.width)}:
            return False
        metric, link = self.list.metric, self.bench.link
        wanted = []
        for run in self.list.shown:
            stamp = (run.status, run.step if run.status not in ACTIVE else time.time() // 10)
            held = self._glances.get((run.id, metric))
            if metric in run.metrics and (held is None or held[0] != stamp):
                wanted.append((run.id, stamp))
        for run_id, stamp in wanted[:GLANCES_AT_ONCE]:
            series = await link.call(
                lambda client, run_id=run_id: client.series(run_id, [metric], points=SPARK_POINTS)  # type: ignore[misc]
            )
            self._glances[run_id, metric] = (stamp, glance(series[0]))
        if wanted:
            self.paint()
        return len(wanted) > GLANCES_AT_ONCE

    # drawing
    def draw(self) -> None:
        """Rows and detail; a line that says what it said before costs nothing."""
        now = time.time()
        columns = fitting(columns_for(self.list.metric), self.size.width)
        longest = max((len(run.id) for run in self.list.shown), default=0)
        columns = widened(columns, self.size.width, longest + (2 if self.list.marked else 0))
        rows: list[ListRow] = []
        for group in self.list.groups:
            if group.name:
                rows.append(ListRow(f"group:{group.name}", _group_line(group)))
            rows += [ListRow(run.id, self._row(run, columns, now)) for run in group.runs]
        none = "No runs yet" if self.bench.elsewhere else "No runs yet: l launches one"
        empty = "No run matches the filter" if self.list.filter else none
        self.pane.show(rows, table_head(columns), empty=empty)
        self._say_what_is_asked()
        self._show_detail(now)

    def _row(self, run: RunSummary, columns: Columns, now: float) -> Text:
        metric = self.list.metric
        held = self._glances.get((run.id, metric))
        marked = run.id in self.list.marked if self.list.marked else None
        return row(run, columns, now, metric=metric, seen=held[1] if held else None, marked=marked)

    def _say_what_is_asked(self) -> None:
        """A line above the table where it is filtered, sorted, grouped or marked."""
        asked = self.list
        parts = [f"{len(asked.shown)} of {len(asked.runs)} runs: {asked.filter}"] if asked.filter else []
        if asked.sort != "newest" or asked.backwards:
            parts.append(f"by {asked.sort}{', reversed' if asked.backwards else ''}")
        if asked.grouping:
            parts.append(f"grouped by {asked.grouping}")
        if asked.marked:
            parts.append(f"{len(asked.marked)} marked: c compares, ⏎ on one overlays")
        if asked.hidden:
            parts.append(f"{asked.hidden} put away (A)")
        said = " · ".join(parts)
        self.query_one("#asked").display = bool(said)
        self.say("#asked", run_text.plain(said))

    def _show_detail(self, now: float) -> None:
        run = self.selected
        text = detail(run, self.size.width - 2, now) if run else Text()
        self.say("#detail", text)

    @property
    def selected(self) -> RunSummary | None:
        key = self.pane.key
        return next((run for run in self.runs if run.id == key), None)

    @on(ListPane.Moved)
    def _moved(self) -> None:
        self._show_detail(time.time())
        self.refresh_bindings()

    # actions
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what the run under the cursor allows stands in the key bar."""
        if action == "compare":
            return len(self.list.marked) > 1 or (len(self.list.marked) == 1 and self.selected is not None)
        if action in ("open", "clone", "stop", "pause", "resume", "move", "kill", "delete", *OF_ONE_RUN):
            run = self.selected if self.is_mounted else None
            if run is None:
                return False
            allowed = {
                "open": True,
                "clone": run.method in METHODS,
                **dict.fromkeys(OF_ONE_RUN, True),
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
        """A marked run with the other marked ones over it, any other run alone."""
        if (run := self.selected) is not None:
            marked = self.list.marked if run.id in self.list.marked else ()
            over = tuple(each for each in self.runs if each.id in marked and each.id != run.id)
            self.bench.show_screen("monitor", run_id=run.id, over=over)

    def action_mark(self) -> None:
        if (run := self.selected) is not None:
            self.list.mark(run.id)
            self.paint()
            self.pane.action_move(1)
            self.refresh_bindings()

    def action_compare(self) -> None:
        """The marked runs side by side; with one mark, that one and the run under the cursor."""
        chosen = list(self.list.marked)
        if len(chosen) == 1 and (run := self.selected) is not None and run.id not in chosen:
            chosen.append(run.id)
        if len(chosen) > 1:
            self.bench.show_screen("run_compare", runs=tuple(chosen))
        else:
            self.notify("Mark the runs to compare with space", timeout=4, markup=False)

    def action_sort(self) -> None:
        self.list.turn_sort()
        self.paint()

    def action_backwards(self) -> None:
        self.list.backwards = not self.list.backwards
        self.paint()

    def action_group(self) -> None:
        self.list.turn_grouping()
        self.paint()

    def action_metric(self, by: int) -> None:
        """Another metric of those that the runs have logged."""
        names = self.list.metrics
        if names:
            at = names.index(self.list.metric) if self.list.metric in names else -by
            self.list.metric = names[(at + by) % len(names)]
            self.paint()
            self.look_now()

    def action_archived(self) -> None:
        self.list.archived = not self.list.archived
        self.paint()

    def action_archive(self) -> None:
        if (run := self.selected) is not None:
            away = not run.archived
            self.call(lambda client: client.remark(run.id, archived=away), self._changed)

    def action_tags(self) -> None:
        if (run := self.selected) is not None:
            hint = "Words with spaces or commas between them"
            self._ask(run, "Tags", " ".join(run.tags), hint, lambda text: {"tags": split_tags(text.split())})

    def action_note(self) -> None:
        if (run := self.selected) is not None:
            self._ask(run, "Note", run.note, "What is worth to know of it later", lambda text: {"note": text})

    def _ask(
        self, run: RunSummary, what: str, text: str, hint: str, change: Callable[[str], dict[str, object]]
    ) -> None:
        from rlft_tui.tui.screens.remark import RemarkScreen

        def kept(new: str | None) -> None:
            if new is not None and new != text:
                self.call(lambda client: client.remark(run.id, **change(new)), self._changed)

        title = run_text.plain(f"{what} of {run.id}")
        self.bench.push_screen(RemarkScreen(title, text, hint), kept)

    # the filter
    def action_filter(self) -> None:
        box = self.query_one("#runs-input", Input)
        with box.prevent(Input.Changed):
            box.value = self.list.filter
        box.display = True
        self.set_focus(box)

    @on(Input.Changed, "#runs-input")
    def _typed(self, event: Input.Changed) -> None:
        """It works while it is typed."""
        self.list.filter = event.value
        self.paint()

    @on(Input.Submitted, "#runs-input")
    def _close_filter(self) -> None:
        self.query_one("#runs-input", Input).display = False
        self.pane.focus()
        self.paint()

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape" and self.query_one("#runs-input", Input).has_focus:
            event.stop()
            self.list.filter = ""
            self._close_filter()

    def action_launch(self) -> None:
        self.bench.show_screen("launch")

    def action_clone(self) -> None:
        if (run := self.selected) is not None:
            self.bench.show_screen("launch", clone=run.id)

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
        if run is None or run.status != "queued":
            return
        count = sum(each.status == "queued" for each in self.runs)
        if run.queue_place == (1 if to == "up" else count):
            end = "first" if to == "up" else "last"
            self.notify(f"{run.id} is {end} of {count} in line already", timeout=4, markup=False)
        else:
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
        self._take(run if run.id == old.id else old for old in self.runs)
        self.look_now()


def _group_line(group: Group) -> Text:
    count = run_text.counted(len(group.runs), "run")
    return Text(f" ── {run_text.plain(group.name)} · {count} ──", style="bold dim", no_wrap=True)
