"""Metrics of one run or several: as many charts as fit, the rest on further pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.message import Message
from textual.widgets import Static

from rlft_tui.runs.run_status import ACTIVE, RunSummary, Series
from rlft_tui.tui import run_text
from rlft_tui.tui.metric_pages import MetricPages
from rlft_tui.tui.run_curves import RunCurveBook
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.chart import Chart
from rlft_tui.tui.widgets.chart_colours import line_mark, line_style
from rlft_tui.tui.widgets.chart_picture import ChartDrawing
from rlft_tui.tui.widgets.chart_plot import warm
from rlft_tui.tui.widgets.chart_scale import WEIGHTS, X_AXES, ChartLook, Clock
from rlft_tui.tui.widgets.widget_palette import palette_of

SHAPES: tuple[tuple[int, int, int, int], ...] = (
    (3, 2, 190, 34),
    (2, 2, 110, 14),
    (1, 2, 0, 14),
    (1, 1, 0, 0),
)
"""Columns and rows of charts, and the width and height from which they fit; the first that fits is taken."""
LEGEND_ROWS = 3
"""Rows that the names of runs may take, as the style sheet has it too."""
_GAP = Text("   ")
NARROW = 100
"""Columns under which the line of tabs has little room for what is shown."""
MOST = max(columns * rows for columns, rows, _, _ in SHAPES)


class CurvesView(RunView, can_focus=True):
    """Charts that share their x axis: a cursor or a zoom of one is that of all."""

    DEFAULT_CSS = """
    CurvesView #no-curves { height: 2; padding: 1 1 0 1; color: $text-muted; display: none; }
    CurvesView #legend { height: auto; max-height: 3; padding: 0 1; display: none; }
    CurvesView Grid { height: 1fr; grid-size: 1; grid-gutter: 0 1; grid-rows: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "axis", "x axis", id="curves.axis", tooltip="Over steps, time or tokens"),
        Binding("e", "smooth", "smooth", id="curves.smooth", tooltip="Smoothing: none, light, strong"),
        Binding("L", "log", "log", key_display="L", id="curves.log",
                tooltip="Logarithmic values: the focused chart, or all"),
        Binding("v", "group", "group", id="curves.group", tooltip="Only rewards, KL, loss, lengths, …"),
        Binding("z", "one", "one chart", id="curves.one", tooltip="The focused chart alone, or all again"),
        Binding("space", "pin", "pin", show=False, id="curves.pin", tooltip="Pin the focused chart's metric"),
        Binding("w", "export", "export", show=False, id="curves.export",
                tooltip="Write the charts shown as SVG or PNG, or their values as CSV"),
        Binding("y", "copy", "copy", show=False, id="curves.copy",
                tooltip="Copy the value at the cursor to the clipboard"),
    ]  # fmt: skip

    class StepChosen(Message):
        """The value cursor stands on a step."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class ExportWanted(Message):
        """These metrics are to be written to files."""

        def __init__(self, keys: list[str]) -> None:
            super().__init__()
            self.keys = keys

    class NewsWanted(Message):
        """Other series are needed now: another page, axis or window."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.pages = MetricPages()
        self.book = RunCurveBook()
        self.look = ChartLook()
        self.window: tuple[float, float] | None = None
        self.run: RunSummary | None = None
        self._logs: set[str] = set()
        """Metrics with a logarithmic value axis."""
        self._alone = ""
        """The one metric shown, or empty."""
        self._shown: list[str] = []
        self._named: Sequence[RunSummary] = ()
        """The runs of the legend."""
        self._legend = Text()
        self._pins: dict[str, list[str]] = {}
        """Pinned metrics by run: what matters in one says little about another."""

    def compose(self) -> ComposeResult:
        yield Static("no metrics yet", id="no-curves")
        yield Static("", id="legend")
        charts = [Chart(id=f"chart-{at}") for at in range(MOST)]
        for chart in charts:
            chart.display = False
        yield Grid(*charts)

    def on_mount(self) -> None:
        # While the server is asked, in time for the first chart.
        self.call_after_refresh(self.run_worker, warm, group="warm", thread=True, exit_on_error=False)

    @property
    def runs(self) -> list[RunSummary]:
        """The run itself, then those drawn over it."""
        return [self.run, *self.book.others.values()] if self.run is not None else []

    @property
    def keys(self) -> list[str]:
        """The metrics of this page."""
        return [self._alone] if self._alone in self.pages.known else self.pages.shown

    @property
    def focused(self) -> Chart | None:
        """The chart with the keyboard, or None."""
        chart = self.screen.focused
        return chart if isinstance(chart, Chart) and chart.display else None

    @property
    def place(self) -> str:
        pages = self.pages
        if not pages.known:
            return ""
        parts: list[str] = [self.look.x] if self.look.x != "step" else []
        if self.look.smoothing:
            parts.append(f"smooth {self.look.smoothing:g}")
        if pages.narrowed and not pages.chosen:
            parts.append(pages.narrowed)
        if pages.chosen:
            parts.append(f"{len(pages.chosen)} picked")
        if pages.pinned:
            parts.append(f"{len(pages.pinned)} pinned")
        at, of = pages.page + 1, pages.pages
        if self._alone:
            parts.append("one chart")
        elif len(parts) > 1 and self.app.size.width < NARROW:
            parts.append(f"{at}/{of}")
        else:
            parts.append(f"page {at} of {of}")
        return " · ".join(parts)

    def clear(self) -> None:
        pages = self.pages
        self.pages = MetricPages(per_page=pages.per_page, group=pages.group)
        self.book.clear()
        self.book.others.clear()
        self.run, self._alone, self.window, self._shown = None, "", None, []
        for chart in self.query(Chart):
            with chart.prevent(Chart.CursorMoved, Chart.WindowChanged):
                chart.action_whole()
        self._paint()

    def draw_over(self, runs: list[RunSummary]) -> None:
        """Draw these runs over the first one."""
        self.book.others = {run.id: run for run in runs}
        self._shown = []

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        if self.run is None:
            self.pages.pinned = self._pins.setdefault(run.id, [])
        self.run = run
        await self.book.look_at_others(link)
        runs = self.runs
        for each in runs:
            self.pages.learn(each.metrics)
        keys, look, window = self.keys, self.look, self.window
        news = await self.book.read(link, runs, keys, look.x, window)
        if (keys, look, window) != (self.keys, self.look, self.window) or self.run is not run:
            return
        if news or keys != self._shown:
            self._shown = keys
            self._paint()

    def go_to(self, step: int) -> None:
        """Put the cursor of all charts on a step."""
        charts = [chart for chart in self.query(Chart) if chart.display]
        if charts and self.run is not None:
            charts[0].set_cursor((self.book.clock(self.run.id) or Clock()).at(step))

    def turn(self, by: int) -> None:
        """Another page; of a metric that is shown alone the one before or after it."""
        if not self._alone:
            self.pages.turn(by)
        elif (order := self.pages.order) and self._alone in order:
            self._alone = order[min(max(order.index(self._alone) + by, 0), len(order) - 1)]

    # drawing
    def _paint(self) -> None:
        runs = self.runs
        keys = [key for key in self._shown if any(self.book.series(run.id, key).steps for run in runs)]
        clocks = [self.book.clock(run.id) for run in runs]
        placed = any(clock is not None for clock in clocks)
        nothing = self.query_one("#no-curves", Static)
        nothing.display = not (keys and placed) and self.run is not None
        if nothing.display:
            nothing.update(self._why_nothing(runs, placed=placed or not keys))
            if self.focused is not None:
                # A chart that is no longer there would keep the keys to itself.
                self.focus_inside()
        keys = keys if placed else []
        self._name_runs(runs)
        last = max((self._last(run, clock) for run, clock in zip(runs, clocks, strict=True)), default=0.0)
        going = any(run.status in ACTIVE for run in runs)
        steps = max((run.steps for run in runs), default=0) if self.look.x == "step" else 0 if going else last
        for at, chart in enumerate(self.query(Chart)):
            there = at < len(keys)
            chart.display = there
            if not there:
                continue
            key = keys[at]
            series = [
                self.book.series(run.id, key) if clock is not None else _hidden(key)
                for run, clock in zip(runs, clocks, strict=True)
            ]
            units = [one.unit for one in series if one.unit]
            if units and not series[0].unit:
                series[0] = replace(series[0], unit=units[0])
            pinned = "◆ " if key in self.pages.pinned else ""
            chart.show(
                series,
                steps=steps,
                last=last,
                title=f"{pinned}{run_text.plain(key)}",
                clocks=[clock or Clock() for clock in clocks],
                owners=[run.id for run in runs] if len(runs) > 1 else (),
                look=replace(self.look, log=key in self._logs),
                live=True,
            )
        self._fit(len(keys))

    def _why_nothing(self, runs: list[RunSummary], *, placed: bool) -> str:
        """Why there is no chart: no place on this axis, or nothing logged."""
        if not placed:
            logged = "times" if self.look.x == "time" else self.look.x
            return f"no {logged} were logged: t takes another axis"
        return "no metrics yet" if any(run.status in ACTIVE for run in runs) else "no metrics were logged"

    @staticmethod
    def _last(run: RunSummary, clock: Clock | None) -> float:
        return float(run.step) if clock is None or not clock.last else clock.last

    def _name_runs(self, runs: Sequence[RunSummary]) -> None:
        """The legend: which colour and mark is which run, when there are several."""
        self._named = runs
        entries: list[Text] = []
        if len(runs) > 1:
            colours = palette_of(self)
            for number, run in enumerate(runs):
                style = (
                    line_style(colours, number).without_color if colours.ansi else line_style(colours, number)
                )
                missing = "" if self.book.clock(run.id) is not None else f" (no {self.look.x})"
                entries.append(
                    Text.assemble(
                        (
                            f"{line_mark(number)} {run_text.plain(run.id)}",
                            style.color.name if style.color else "",
                        ),
                        (f" {run_text.GLYPHS[run.status]} {run_text.steps(run)}{missing}", "dim"),
                    )
                )
        legend = _in_rows(entries, self.size.width - 2)
        if legend != self._legend:
            self._legend = legend
            widget = self.query_one("#legend", Static)
            widget.display = bool(legend.plain)
            widget.update(legend)

    def on_resize(self, event: events.Resize) -> None:
        self._name_runs(self._named)
        self._fit(len(self._shown), event.size.width, event.size.height)

    def _fit(self, count: int, width: int = 0, height: int = 0) -> None:
        """As many charts as fit; fewer in fewer columns when there are not so many."""
        width, height = width or self.size.width, height or self.size.height
        columns, rows = next((c, r) for c, r, least, low in SHAPES if width >= least and height >= low)
        self.pages.resize(columns * rows)
        grid = self.query_one(Grid)
        wanted = min(columns, max(1, -(-count // rows))) if count <= columns * rows else columns
        if count == 2 and columns > 1 and height < 2 * SHAPES[1][3]:
            wanted = 2
        if grid.styles.grid_size_columns != wanted:
            grid.styles.grid_size_columns = wanted

    # what one chart does, all do
    @on(Chart.CursorMoved)
    def _cursor_moved(self, event: Chart.CursorMoved) -> None:
        for chart in self.query(Chart):
            if chart is not event.chart:
                with chart.prevent(Chart.CursorMoved):
                    chart.set_cursor(event.place)
        if event.step is not None:
            self.post_message(self.StepChosen(event.step))

    @on(Chart.WindowChanged)
    def _window_changed(self, event: Chart.WindowChanged) -> None:
        for chart in self.query(Chart):
            if chart is not event.chart:
                with chart.prevent(Chart.WindowChanged):
                    chart.set_window(event.window)
        self.window = event.window
        self.post_message(self.NewsWanted())

    # actions
    def action_axis(self) -> None:
        """Over steps, time or tokens."""
        at = X_AXES.index(self.look.x)
        self.look = replace(self.look, x=X_AXES[(at + 1) % len(X_AXES)])
        if self.window is not None:
            self.window = None
        self._again()

    def action_smooth(self) -> None:
        at = WEIGHTS.index(self.look.smoothing)
        self.look = replace(self.look, smoothing=WEIGHTS[(at + 1) % len(WEIGHTS)])
        self._again()

    def action_log(self) -> None:
        chart = self.focused
        keys = {chart.series[0].key} if chart is not None and chart.series else set(self._shown)
        self._logs = self._logs - keys if keys <= self._logs else self._logs | keys
        self._again()

    def action_group(self) -> None:
        self._alone = ""
        self.pages.turn_group()
        self._again()

    def action_one(self) -> None:
        """The focused chart alone (without one, the first); again: back to the page."""
        chart = self.focused or next((each for each in self.query(Chart) if each.display), None)
        self._alone = "" if self._alone or chart is None or not chart.series else chart.series[0].key
        self._again()

    def action_pin(self) -> None:
        chart = self.focused
        if chart is not None and chart.series:
            self.pages.pin(chart.series[0].key)
            self._again()

    def action_copy(self) -> None:
        chart = self.focused or next((each for each in self.query(Chart) if each.display), None)
        text = chart.value_text() if chart is not None else ""
        if text:
            self.app.copy_to_clipboard(text)
            self.notify(text, title="Copied", timeout=3, markup=False)

    def action_export(self) -> None:
        """Ask the monitor, which has the server at hand, to write what is shown."""
        chart = self.focused
        keys = [chart.series[0].key] if chart is not None and chart.series else list(self._shown)
        if keys:
            self.post_message(self.ExportWanted(keys))

    def drawing(self, key: str) -> ChartDrawing:
        """One metric as it is shown, for a picture."""
        runs = [run for run in self.runs if self.book.clock(run.id) is not None]
        return ChartDrawing(
            key,
            [self.book.series(run.id, key) for run in runs],
            names=[run.id for run in runs],
            clocks=[self.book.clock(run.id) or Clock() for run in runs],
            look=replace(self.look, log=key in self._logs),
            window=self.window,
        )

    def _again(self) -> None:
        """Draw what is there the new way, and ask for what is not."""
        self._shown = [key for key in self.keys if key in self._shown] or self._shown
        self._paint()
        self._shown = []
        self.post_message(self.NewsWanted())

    def focus_inside(self) -> None:
        self.screen.set_focus(self)


def _hidden(key: str) -> Series:
    """A run that cannot be placed on this axis keeps its colour and draws nothing."""
    return Series(key, "", 1, [], [], [], [], [], 0)


def _in_rows(entries: Sequence[Text], width: int) -> Text:
    """Entries beside each other, as many a row as fit whole; how many are left out of the last row."""
    rows: list[list[Text]] = []
    for entry in entries:
        if not rows or _GAP.join([*rows[-1], entry]).cell_len > width:
            rows.append([])
        rows[-1].append(entry)
    if len(rows) > LEGEND_ROWS:
        rows = rows[:LEGEND_ROWS]
        left = len(entries) - sum(map(len, rows))
        last = rows[-1]
        while len(last) > 1 and _GAP.join([*last, _more(left)]).cell_len > width:
            last.pop()
            left += 1
        last.append(_more(left))
    return Text("\n").join([_GAP.join(row) for row in rows])


def _more(count: int) -> Text:
    return Text(f"+{count} more", style="dim")
