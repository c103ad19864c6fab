"""What the job printed, followed at its end."""

from __future__ import annotations

from textual.app import ComposeResult

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.log_tail import LogTail
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.text_pane import TextPane


class LogView(RunView):
    """The last 64 KB and everything after them."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.tail = LogTail()

    def compose(self) -> ComposeResult:
        yield TextPane(id="log-text", markdown=False)

    @property
    def place(self) -> str:
        size = run_text.size(self.tail.start) if self.tail.start > 0 else "empty"
        return f"{size}, the end shown" if self.tail.cut else size

    def clear(self) -> None:
        self.tail = LogTail()
        self.query_one(TextPane).stream_start(markdown=False)

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        tail = self.tail
        while True:
            page = await link.call(lambda client: client.log(run.id, start=tail.start))
            if tail is not self.tail:
                return
            text, fresh = tail.take(page)
            pane = self.query_one(TextPane)
            if fresh:
                pane.stream_start(markdown=False)
            if text:
                pane.append(text)
            if not text or page.end >= page.size:
                return

    def focus_inside(self) -> None:
        self.query_one(TextPane).focus()
