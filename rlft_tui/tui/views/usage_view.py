"""Processor, memory, disk and GPU of the machine, and of the run."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Grid
from textual.widgets import Static

from rlft_tui.runs.run_status import RunSummary, Series
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.chart import Chart
from rlft_tui.tui.widgets.chart_scale import ChartLook

MOST = 12
WIDE = 110
LOOK = ChartLook(x="time")


class UsageView(RunView, can_focus=True):
    """Small charts over the last hours: the run's own first."""

    DEFAULT_CSS = """
    UsageView #no-usage { height: 2; padding: 1 1 0 1; color: $text-muted; }
    UsageView Grid { height: 1fr; grid-size: 2; grid-gutter: 0 1; grid-rows: 1fr; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._last: tuple[Series, ...] = ()

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
        shown = [*own, *machine][:MOST]
        self.query_one("#no-usage").display = not shown
        end = max((one.steps[-1] for one in shown if one.steps), default=0)
        for at, chart in enumerate(self.query(Chart)):
            chart.display = at < len(shown)
            if at < len(shown):
                one = shown[at]
                title = f"run {one.key.removeprefix(run.id).strip()}" if one in own else f"machine {one.key}"
                chart.show([one], title=title, last=float(end), look=LOOK, holding=_bounds(one), live=True)

    def on_resize(self, event: events.Resize) -> None:
        columns = 2 if event.size.width >= WIDE or event.size.height < 18 else 1
        self.query_one(Grid).styles.grid_size_columns = columns

    def focus_inside(self) -> None:
        self.screen.set_focus(self)


def _bounds(one: Series) -> tuple[float, ...]:
    """Shares go from 0 to 100, amounts from 0."""
    return (0.0, 100.0) if one.unit == "%" else (0.0,)
