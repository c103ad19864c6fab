"""What in a run deserves a look, newest first."""

from __future__ import annotations

import time

from rich.text import Text
from textual.app import ComposeResult

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView


class AlertsView(RunView):
    """A line for each alert: when, where, what, and what to do about it."""

    def compose(self) -> ComposeResult:
        yield ListPane(empty="nothing to report")

    def clear(self) -> None:
        self.query_one(ListPane).show(())

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        rows = []
        for at, alert in reversed(list(enumerate(run.alerts))):
            clock = time.strftime("%H:%M:%S", time.localtime(alert.t))
            line = Text(f" {clock}  step {alert.step:<8,} ", no_wrap=True)
            line.append(run_text.plain(alert.message), style="#e69f00")
            if alert.advice:
                line.append("  " + run_text.plain(alert.advice), style="dim")
            rows.append(ListRow(str(at), line))
        self.query_one(ListPane).show(rows)

    def focus_inside(self) -> None:
        self.query_one(ListPane).focus()
