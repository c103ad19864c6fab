"""A short list with a cursor, for runs, models and choices: only lines that change are painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from rlft_tui.record import Record
from rlft_tui.tui import run_text

Columns = tuple[tuple[str, int], ...]
"""Title and width in cells."""
GAP = 2


class ListRow(Record, frozen=True):
    """One line; ``key`` finds the cursor again when rows come and go."""

    key: str
    line: Text


class ListPane(Widget, can_focus=True):
    """Rows below a fixed header. Without scrollbar: the header's right end says where one is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="list.up", tooltip="Line before"),
        Binding("down,j", "move(1)", "down", show=False, id="list.down", tooltip="Next line"),
        Binding("pageup", "page(-1)", "page up", show=False, id="list.page_up", tooltip="Page before"),
        Binding("pagedown", "page(1)", "page down", show=False, id="list.page_down", tooltip="Next page"),
        Binding("home", "edge(0)", "first", show=False, id="list.first", tooltip="First line"),
        Binding("end", "edge(1)", "last", show=False, id="list.last", tooltip="Last line"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"list-pane--cursor", "list-pane--head"}
    DEFAULT_CSS = """
    ListPane { height: 1fr; }
    ListPane > .list-pane--head { color: $text-muted; text-style: bold; }
    ListPane > .list-pane--cursor { background: $surface-lighten-2; }
    ListPane:focus > .list-pane--cursor { background: $primary-muted; text-style: bold; }
    """

    @dataclass
    class Moved(Message):
        """The cursor came to stand on another row."""

        pane: ListPane
        key: str

        @property
        def control(self) -> ListPane:
            return self.pane

    @dataclass
    class Chosen(Message):
        """A click on the line under the cursor; enter is a binding of the screen."""

        pane: ListPane
        key: str

        @property
        def control(self) -> ListPane:
            return self.pane

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.empty = empty
        self._head = Text()
        self._rows: tuple[ListRow, ...] = ()
        self._cursor = 0
        self._top = 0

    # content
    @property
    def key(self) -> str | None:
        """Key of the row under the cursor."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def lines(self) -> list[str]:
        """What the rows say."""
        return [row.line.plain for row in self._rows]

    def show(self, rows: Sequence[ListRow], head: Text | None = None, *, empty: str | None = None) -> None:
        """Replace the rows; the cursor stays on its key, or at its place when the row is gone."""
        new, old, before = tuple(rows), self._rows, self.key
        if head is not None and head != self._head:
            self._head = head
            self.refresh()
        if empty is not None and empty != self.empty:
            self.empty = empty
            self.refresh()
        if new == old:
            return
        self._rows = new
        keys = [row.key for row in new]
        self._cursor = keys.index(before) if before in keys else min(self._cursor, max(len(new) - 1, 0))
        if keys != [row.key for row in old]:
            self._keep_in_view()
            self.refresh()
        else:
            for at, (left, right) in enumerate(zip(old, new, strict=True)):
                if left.line != right.line:
                    self._refresh_row(at)
        if self.key is not None and self.key != before:
            self.post_message(self.Moved(self, self.key))

    def go_to(self, key: str) -> None:
        """Put the cursor on a key, if it is there."""
        for at, row in enumerate(self._rows):
            if row.key == key:
                self._move_to(at)

    # drawing
    @property
    def _page(self) -> int:
        return max(self.size.height - 1, 1)

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y == 0:
            style = self.get_component_rich_style("list-pane--head")
            place = f"  {self._cursor + 1}/{len(self._rows)} " if len(self._rows) > self._page else ""
            head = self._strip(self._head, style)
            if not place:
                return head
            room = max(self.size.width - len(place), 0)
            return Strip([*head.crop(0, room), Segment(place, style)])
        at = self._top + y - 1
        if at >= len(self._rows):
            blank = Text(f" {self.empty}", style="dim") if y == 1 and not self._rows else Text()
            return self._strip(blank, base)
        style = self.get_component_rich_style("list-pane--cursor") if at == self._cursor else base
        return self._strip(self._rows[at].line, style)

    def _strip(self, line: Text, style: Style) -> Strip:
        segments = list(line.render(self.app.console))
        return Strip(segments).apply_style(style).adjust_cell_length(self.size.width, style)

    def _refresh_row(self, at: int) -> None:
        y = at - self._top + 1
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def on_resize(self) -> None:
        self._keep_in_view()

    def _keep_in_view(self) -> None:
        top = min(self._top, self._cursor, max(len(self._rows) - self._page, 0))
        self._top = max(top, self._cursor - self._page + 1, 0)

    # moving
    def _move_to(self, at: int) -> None:
        at = min(max(at, 0), len(self._rows) - 1)
        if at == self._cursor or not self._rows:
            return
        before, top = self._cursor, self._top
        self._cursor = at
        self._keep_in_view()
        if self._top != top:
            self.refresh()
        else:
            self._refresh_row(before)
            self._refresh_row(at)
            if len(self._rows) > self._page:
                self.refresh(Region(0, 0, self.size.width, 1))
        self.post_message(self.Moved(self, self._rows[at].key))

    def action_move(self, by: int) -> None:
        self._move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._move_to(self._cursor + by * self._page)

    def action_edge(self, end: int) -> None:
        self._move_to(len(self._rows) - 1 if end else 0)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-3)

    def on_click(self, event: events.Click) -> None:
        at = self._top + event.y - 1
        if event.y < 1 or at >= len(self._rows):
            return
        if at == self._cursor:
            self.post_message(self.Chosen(self, self._rows[at].key))
        else:
            self._move_to(at)


def fitting(columns: Columns, width: int) -> Columns:
    """The first columns, as many as fit into ``width`` cells; the very first is made to fit."""
    kept: list[tuple[str, int]] = []
    room = width - 1
    for title, cells in columns:
        if cells > room:
            if not kept:
                kept.append((title, max(room, 1)))
            break
        kept.append((title, cells))
        room -= cells + GAP
    return tuple(kept)


def widened(columns: Columns, width: int, cells: int) -> Columns:
    """With the first column of so many cells, as far as the others leave room for it in ``width``."""
    (title, before), *others = columns
    free = width - 1 - before - sum(cells + GAP for _, cells in others)
    return ((title, max(before, min(cells, before + free))), *others)


def table_head(columns: Columns) -> Text:
    return table_line(columns, {title: (title, "") for title, _ in columns})


def table_line(columns: Columns, values: Mapping[str, tuple[str, str]]) -> Text:
    """One row: text and style of each column by title, cut and padded to its width."""
    line = Text(" ", no_wrap=True)
    for title, width in columns:
        text, style = values[title]
        shown = run_text.cut(run_text.plain(text), width)
        line.append(shown + " " * (width - cell_len(shown)), style=style or "none")
        line.append(" " * GAP)
    return line
