"""Metrics over steps: as many charts as fit, the rest on further pages."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Grid
from textual.message import Message
from textual.widgets import Static

from rlft_tui.runs.run_status import RunSummary, Series
from rlft_tui.tui.metric_pages import MetricPages
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.chart import Chart

MOST = 4
WIDE = 110
"""Columns from which two charts stand side by side."""
TALL = 14
"""Rows from which two charts stand above one another."""
POINTS = 500


class CurvesView(RunView):
    """Up to four charts; a step under the cursor of one is under the cursor of all."""

    DEFAULT_CSS = """
    CurvesView #no-curves { height: 2; padding: 1 1 0 1; color: $text-muted; display: none; }
    CurvesView Grid { height: 1fr; grid-size: 1; grid-gutter: 0 1; grid-rows: 1fr; }
    """

    class StepChosen(Message):
        """The value cursor stands on a step."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.pages = MetricPages()
        self.series: tuple[Series, ...] = ()
        self._read: object = None
        """What the series shown were read for; the same again needs no reading."""

    def compose(self) -> ComposeResult:
        yield Static("no metrics yet", id="no-curves")
        charts = [Chart(id=f"chart-{at}") for at in range(MOST)]
        for chart in charts:
            chart.display = False
        yield Grid(*charts)

    @property
    def place(self) -> str:
        if not self.pages.known:
            return ""
        chosen = f"{len(self.pages.chosen)} picked · " if self.pages.chosen else ""
        turn = " [ ]" if self.pages.pages > 1 else ""
        return f"{chosen}page {self.pages.page + 1} of {self.pages.pages}{turn}"

    def clear(self) -> None:
        self.pages = MetricPages(per_page=self.pages.per_page)
        self.series, self._read = (), None
        for chart in self.query(Chart):
            chart.action_whole()
        self._paint(0)

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        self.pages.learn(run.metrics)
        keys = self.pages.shown
        wanted = (run.id, run.step, dict(run.metrics), keys, run.status)
        if wanted == self._read:
            return
        series: tuple[Series, ...] = ()
        if keys:
            series = await link.call(lambda client: client.series(run.id, keys, points=POINTS))
        if keys != self.pages.shown:
            return
        by_key = {each.key: each for each in series}
        self.series = tuple(by_key[key] for key in keys if key in by_key)
        self._read = wanted
        self._paint(run.steps)

    def turn(self, by: int) -> None:
        self.pages.turn(by)

    def _paint(self, steps: int) -> None:
        self.query_one("#no-curves").display = not self.series
        for at, chart in enumerate(self.query(Chart)):
            there = at < len(self.series)
            chart.display = there
            if there:
                chart.show([self.series[at]], steps=steps, title=self.series[at].key, live=True)

    def on_resize(self, event: events.Resize) -> None:
        columns = 2 if event.size.width >= WIDE else 1
        rows = 2 if event.size.height >= TALL else 1
        self.query_one(Grid).styles.grid_size_columns = columns
        self.pages.resize(columns * rows)

    @on(Chart.CursorMoved)
    def _cursor_moved(self, event: Chart.CursorMoved) -> None:
        for chart in self.query(Chart):
            if chart is not event.chart:
                with chart.prevent(Chart.CursorMoved):
                    chart.set_cursor(event.step)
        if event.step is not None:
            self.post_message(self.StepChosen(event.step))

    def focus_inside(self) -> None:
        self.screen.set_focus(None)
