"""What the job printed: followed at its end, paged, searched and filtered, however long it is."""

from __future__ import annotations

from typing import ClassVar, Literal

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.runs.log_search import LogLevel, LogLine, LogMatches
from rlft_tui.runs.run_status import LogPage, RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.log_tail import LogTail
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.text_pane import TextPane
from rlft_tui.tui.widgets.word_diff import MarkedPiece

PAGE = 65536
CONTEXT = 5
"""Lines shown above one that was searched for."""
MOST_LINES = 500
"""Lines of a filter that are listed, the last ones."""
FILTERS: tuple[LogLevel, ...] = ("", "warnings", "errors")


class _Jump(Record, frozen=True):
    """A search that has been asked for: from ``start``, onward or backwards."""

    text: str
    level: LogLevel
    start: int
    backwards: bool
    around: bool = False
    """When there is nothing, look from the end of the output too."""


class _Turn(Record, frozen=True):
    """Another page: the one from ``start``, or the one that ends there."""

    start: int
    backwards: bool = False


Where = Literal["end", "page", "list"]


class LogView(RunView, can_focus=True):
    """The end and everything after it; or a page from the middle; or only the lines of a level."""

    DEFAULT_CSS = """
    LogView #log-lines { display: none; }
    LogView.-list #log-lines { display: block; }
    LogView.-list #log-text { display: none; }
    LogView #log-search { display: none; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", id="log.search", tooltip="Search: words, or /expression/"),
        Binding("n", "next(False)", "next", show=False, id="log.next", tooltip="Next line that matches"),
        Binding("N", "next(True)", "before", show=False, id="log.previous", tooltip="Matching line before"),
        Binding("f", "filter", "level", id="log.filter", tooltip="All lines, warnings and errors, or errors"),
        Binding("t", "traceback", "traceback", id="log.traceback", tooltip="The traceback before here"),
        Binding(
            "enter", "open", "open", show=False, id="log.open", tooltip="The listed line where it stands"
        ),
        Binding(
            "ctrl+home", "first", "first page", show=False, id="log.first", tooltip="Start of the output"
        ),
        Binding("e", "follow", "end", id="log.end", tooltip="Back to the end, and follow it"),
    ]

    class NewsWanted(Message):
        """Something is to be read that is not shown yet."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.tail = LogTail()
        self.level: LogLevel = ""
        self._page: LogPage | None = None
        """The page shown; None while the end is followed."""
        self._at = -1
        """Offset of the line that was jumped to."""
        self._ask: _Jump | _Turn | None = None
        self._text = ""
        self._progress = ""
        self._lines: list[LogLine] = []
        self._listed: tuple[LogLevel, int] | None = None
        """Filter of the lines listed, and how far the output was looked at."""
        self._unseen = 0
        """Bytes at the start that the filter has not looked at."""

    def compose(self) -> ComposeResult:
        yield TextPane(id="log-text", markdown=False)
        yield ListPane(id="log-lines", empty="no such line")
        box = Input(placeholder="search the output: words, or /expression/, ⏎", compact=True, id="log-search")
        box.cursor_blink = False
        yield box

    @property
    def where(self) -> Where:
        if self.level and self._page is None:
            return "list"
        return "page" if self._page is not None else "end"

    @property
    def place(self) -> str:
        if self._progress:
            return self._progress
        parts = [f"{self._text!r}"] if self._text and self.where == "page" else []
        if self.level:
            parts.append(self.level)
        if self.where == "list":
            unseen = f", the first {run_text.size(self._unseen)} not searched" if self._unseen else ""
            parts.append(f"{run_text.counted(len(self._lines), 'line')}{unseen}")
        elif self._page is not None:
            parts.append(f"{run_text.size(self._page.start)} of {run_text.size(self._page.size)}")
        else:
            size = run_text.size(self.tail.start) if self.tail.start > 0 else "empty"
            parts.append(f"{size}, the end shown" if self.tail.cut else size)
        return " · ".join(parts)

    def clear(self) -> None:
        self.level, self._text, self._progress = "", "", ""
        self._back_to_end()

    # reading
    async def read(self, link: ServerLink, run: RunSummary) -> None:
        if self._ask is not None:
            await self._answer(link, run)
        elif self.where == "list":
            await self._read_lines(link, run)
        elif self.where == "end":
            await self._follow(link, run)
        if self.where == "list":
            self.add_class("-list")

    async def _follow(self, link: ServerLink, run: RunSummary) -> None:
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

    async def _answer(self, link: ServerLink, run: RunSummary) -> None:
        ask = self._ask
        if isinstance(ask, _Turn):
            start = max(0, ask.start - PAGE) if ask.backwards else ask.start
            page = await link.call(lambda client: client.log(run.id, start=start, limit=PAGE))
            if ask is self._ask:
                self._ask = None
                self._show(page, -1)
            return
        try:
            found = await self._find(link, run, ask) if ask is not None else None
        except RlftError:
            self._ask = None
            raise
        if ask is None or ask is not self._ask:
            return
        self._ask = None
        if found is None and ask.around and ask.start >= 0:
            self._jump(_Jump(ask.text, ask.level, -1, backwards=True))
            return
        if found is None:
            direction = "before here" if ask.backwards else "after here"
            self.notify(f"No line {direction} with {ask.text or ask.level}", severity="warning", markup=False)
            return
        line = found
        above = await link.call(
            lambda client: client.log_lines(run.id, start=line.start, backwards=True, limit=CONTEXT)
        )
        start = above.lines[0].start if above.lines else line.start
        page = await link.call(lambda client: client.log(run.id, start=start, limit=PAGE))
        self._show(page, line.start)

    async def _find(self, link: ServerLink, run: RunSummary, ask: _Jump) -> LogLine | None:
        """The nearest matching line; a long file is searched piece by piece, and another key stops it."""
        start = ask.start
        while ask is self._ask:
            found = await self._search_once(link, run, ask, start)
            if found.lines:
                self._progress = ""
                return found.lines[0]
            if found.searched in (start, 0 if ask.backwards else found.size):
                break
            start = found.searched
            self._progress = f"searched up to {run_text.size(start)} of {run_text.size(found.size)} …"
            self.post_message(self.NewsWanted())
        self._progress = ""
        return None

    @staticmethod
    async def _search_once(link: ServerLink, run: RunSummary, ask: _Jump, start: int) -> LogMatches:
        return await link.call(
            lambda client: client.log_lines(
                run.id, text=ask.text, level=ask.level, start=start, backwards=ask.backwards, limit=1
            )
        )

    async def _read_lines(self, link: ServerLink, run: RunSummary) -> None:
        level = self.level
        if self._listed is None or self._listed[0] != level:
            found = await link.call(
                lambda client: client.log_lines(
                    run.id, level=level, start=-1, backwards=True, limit=MOST_LINES
                )
            )
            self._lines, self._unseen = list(found.lines), found.searched
            self._listed = (level, found.size)
        else:
            start = self._listed[1]
            found = await link.call(lambda client: client.log_lines(run.id, level=level, start=start))
            if found.size < start:  # another log: look at all of it again
                self._listed = None
                return
            self._lines = [*self._lines, *found.lines][-MOST_LINES:]
            self._listed = (level, max(found.searched, start))
        rows = [ListRow(str(line.start), _line_text(line)) for line in self._lines]
        pane = self.query_one(ListPane)
        fresh = not pane.lines
        pane.show(rows)
        if fresh and rows:
            pane.go_to(rows[-1].key)

    # drawing
    def _show(self, page: LogPage, at: int) -> None:
        self._page, self._at = page, at
        if self.has_class("-list"):
            # A hidden pane has no width to lay out a text in.
            self.set_class(False, "-list")
            self.call_after_refresh(self._show, page, at)
            return
        pane = self.query_one(TextPane)
        marks: tuple[MarkedPiece, ...] = ()
        if at >= page.start:
            before = CONTEXT if at > page.start else 0
            lines = page.text.split("\n")
            # The page begins that many lines above the one wanted, or at the start of the output.
            number = min(before, len(lines) - 1) if page.start else self._lines_above(page, at)
            head = "".join(f"{line}\n" for line in lines[:number])
            rest = "".join(f"\n{line}" for line in lines[number + 1 :])
            pieces = ((head, "same"), (lines[number], "changed"), (rest, "same"))
            marks = tuple(MarkedPiece(text, kind) for text, kind in pieces if text)
        pane.show(page.text, markdown=False, marks=marks)
        pane.focus()

    @staticmethod
    def _lines_above(page: LogPage, at: int) -> int:
        """How many lines stand above an offset near the start of the output."""
        return min(page.text.encode()[:at].count(b"\n"), page.text.count("\n"))

    def _back_to_end(self) -> None:
        self.tail, self._page, self._at, self._ask = LogTail(), None, -1, None
        self._lines, self._listed, self._unseen = [], None, 0
        self.query_one(TextPane).stream_start(markdown=False)
        self.query_one(ListPane).show(())

    def focus_inside(self) -> None:
        pane = self.query_one(ListPane) if self.where == "list" else self.query_one(TextPane)
        self.screen.set_focus(pane)

    # actions
    def turn(self, by: int) -> None:
        """A page back or on; behind the last one the end is followed again."""
        if self.where == "list":
            return
        if self._page is None:
            if by < 0 and self.tail.cut:
                self._ask = _Turn(max(0, self.tail.start - PAGE), backwards=True)
        elif by < 0:
            if self._page.start > 0:
                self._ask = _Turn(self._page.start, backwards=True)
        elif self._page.end >= self._page.size:
            self._back_to_end()
        else:
            self._ask = _Turn(self._page.end)

    def action_first(self) -> None:
        self._jump(_Turn(0))

    def action_follow(self) -> None:
        self.level = ""
        self._back_to_end()
        self.set_class(False, "-list")
        self.focus_inside()
        self.post_message(self.NewsWanted())

    def action_filter(self) -> None:
        """All lines, warnings and worse, errors alone."""
        self.level = FILTERS[(FILTERS.index(self.level) + 1) % len(FILTERS)]
        self._back_to_end()
        self.set_class(self.where == "list", "-list")
        self.focus_inside()
        self.post_message(self.NewsWanted())

    def action_traceback(self) -> None:
        """The last traceback, or the one before the line shown."""
        self._jump(_Jump("", "tracebacks", self._at if self._at >= 0 else -1, backwards=True))

    def action_open(self) -> None:
        key = self.query_one(ListPane).key
        if self.where == "list" and key is not None:
            self._jump(_Jump("", self.level, int(key), backwards=False))

    @on(ListPane.Chosen)
    def _chosen(self, event: ListPane.Chosen) -> None:
        event.stop()
        self.action_open()

    def action_search(self) -> None:
        box = self.query_one("#log-search", Input)
        box.display = True
        self.screen.set_focus(box)

    @on(Input.Submitted, "#log-search")
    def _search_asked(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.display = False
        self._text = event.value.strip()
        self.focus_inside()
        if self._text:
            # From the end upwards: what a reader of a log looks for has mostly just happened.
            start = self._page.end if self._page else -1
            self._jump(_Jump(self._text, self.level, start, backwards=True, around=True))

    def on_key(self, event: events.Key) -> None:
        box = self.query_one("#log-search", Input)
        if event.key == "escape" and box.has_focus:
            event.stop()
            box.display = False
            self.focus_inside()

    def action_next(self, backwards: bool) -> None:
        if self._text and self._at >= 0:
            start = self._at if backwards else self._at + 1
            self._jump(_Jump(self._text, self.level, start, backwards))

    def _jump(self, ask: _Jump | _Turn) -> None:
        self._ask = ask
        self.post_message(self.NewsWanted())


def _line_text(line: LogLine) -> Text:
    style = "#e69f00" if "warn" in line.text.lower() else "#ff8a5c"
    return Text(f" {run_text.plain(line.text)}", style=style, no_wrap=True)
