"""Processor, memory, disk and GPU of the machine, and of the run."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Grid
from textual.widgets import Static

from rlft_tui.runs.run_status import ACTIVE, RunSummary, Series
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.chart import Chart
from rlft_tui.tui.widgets.chart_scale import ChartLook

MOST = 12
"""Charts on a page at most."""
WIDE = 110
"""Columns from which two charts stand side by side."""
LOW = 7
"""Rows that a chart needs: below that it is a title and no curve."""
LOOK = ChartLook(x="time")


class UsageView(RunView, can_focus=True):
    """Small charts over the last hours: the run's own first, as many as fit on a page."""

    DEFAULT_CSS = """
    UsageView #no-usage { height: 2; padding: 1 1 0 1; color: $text-muted; }
    UsageView Grid { height: 1fr; grid-size: 2; grid-gutter: 0 1; grid-rows: 1fr; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._last: tuple[Series, ...] = ()
        self._shown: list[tuple[str, Series]] = []
        """Title and values of every chart, of this page or not."""
        self._page = 0
        self._columns, self._rows = 1, 1

    @property
    def place(self) -> str:
        return f"page {self._page + 1} of {self._pages}" if self._shown else ""

    @property
    def _pages(self) -> int:
        return max(-(-len(self._shown) // self._per_page), 1)

    @property
    def _per_page(self) -> int:
        return min(self._columns * self._rows, MOST)

    def clear(self) -> None:
        self._last, self._shown, self._page = (), [], 0

    def turn(self, by: int) -> None:
        """Another page, without wrapping."""
        self._page += by
        self._paint()

    def compose(self) -> ComposeResult:
        yield Static("measuring …", id="no-usage")
        charts = [Chart(id=f"usage-{at}") for at in range(MOST)]
        for chart in charts:
            chart.display = False
        yield Grid(*charts)

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        series = await link.call(lambda client: client.usage())
        if series == self._last:
            return
        self._last = series
        own = [one for one in series if one.key.startswith(run.id)]
        machine = [one for one in series if not one.key.endswith((" CPU", " memory")) or one.key[:3] == "GPU"]
        past = "" if run.status in ACTIVE else ", until it ended"
        self._shown = [(f"run {one.key.removeprefix(run.id).strip()}{past}", one) for one in own]
        self._shown += [(f"machine {one.key}", one) for one in machine]
        self._paint()

    def on_resize(self, event: events.Resize) -> None:
        self._columns = 2 if event.size.width >= WIDE else 1
        self._rows = max(event.size.height // LOW, 1)
        self._paint()

    def _paint(self) -> None:
        self._page = min(max(self._page, 0), self._pages - 1)
        first = self._page * self._per_page
        here = self._shown[first : first + self._per_page]
        self.query_one("#no-usage").display = not self._shown
        self.query_one(Grid).styles.grid_size_columns = self._columns
        end = max((one.steps[-1] for _, one in self._shown if one.steps), default=0)
        for at, chart in enumerate(self.query(Chart)):
            chart.display = at < len(here)
            if at < len(here):
                title, one = here[at]
                chart.show([one], title=title, last=float(end), look=LOOK, holding=_bounds(one), live=True)

    def focus_inside(self) -> None:
        self.screen.set_focus(self)


def _bounds(one: Series) -> tuple[float, ...]:
    """Shares go from 0 to 100, amounts from 0."""
    return (0.0, 100.0) if one.unit == "%" else (0.0,)
