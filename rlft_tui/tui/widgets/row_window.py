"""A table of any length: a window over rows that are fetched page by page.

A table widget that holds every row takes seconds to open at 100,000 rows; this one
asks for the rows around the cursor and draws the ones in view.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from rlft_tui.record import Record
from rlft_tui.tui.widgets.cells import cell_width, fit
from rlft_tui.tui.widgets.harmless import harmless_line
from rlft_tui.tui.widgets.palette import Palette
from rlft_tui.tui.widgets.plain_lines import plain_lines
from rlft_tui.tui.widgets.widget_palette import palette_of

PAGE = 200
"""Rows fetched at once."""

KEPT = 6
"""Pages kept around the cursor."""

_GAP = 2
"""Blank cells between columns."""
_LEAST = 12
"""Cells under which a column that has no width of its own tells nothing."""

RowCell = str | tuple[str, str]
"""Text, or (text, name of a palette style such as faint, heading, string, keyword)."""

Row = Sequence[RowCell]
Page = tuple[Sequence[Row], int]
Fetch = Callable[[int, int], Page] | Callable[[int, int], Awaitable[Page]]
"""(offset, limit) → (rows, total). A plain function runs in a thread, so it may block."""


class Column(Record, frozen=True):
    """A column's title and room."""

    title: str
    width: int = 0
    """Cells at most; 0 for all that it needs, in what the others leave."""
    right: bool = False
    """Align to the right, for numbers."""


class _Look(Record, frozen=True):
    """What all rows of a frame have in common."""

    colours: Palette
    width: int
    cursor: Style
    """Laid over the row under the cursor."""
    mark: int
    """The row of the body that shows where in the table the view is; -1 when all is in view."""


class RowWindow(Widget, can_focus=True):
    """Rows with a cursor; posts which row is under it and which was chosen."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    RowWindow { width: 1fr; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next row", show=False, id="rows.down"),
        Binding("up,k", "move(-1)", "Previous row", show=False, id="rows.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="rows.page_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="rows.page_up"),
        Binding("home", "first", "First row", show=False, id="rows.first"),
        Binding("end", "last", "Last row", show=False, id="rows.last"),
        Binding("enter", "choose", "Choose", show=False, id="rows.choose"),
    ]

    class _AboutRow(Message):
        def __init__(self, window: RowWindow, index: int, row: Row) -> None:
            super().__init__()
            self.window = window
            self.index = index
            self.row = row

        @property
        def control(self) -> RowWindow:
            """The window, for ``@on(…, "#name")``."""
            return self.window

    class RowHighlighted(_AboutRow):
        """The cursor stands on another row, whose values are here."""

    class RowSelected(_AboutRow):
        """A row was chosen with Enter or a click."""

    class FetchFailed(Message):
        """Rows couldn't be fetched; ``reload`` tries again."""

        def __init__(self, window: RowWindow, error: Exception) -> None:
            super().__init__()
            self.window = window
            self.error = error

    def __init__(
        self,
        columns: Sequence[Column] = (),
        fetch: Fetch | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._columns = tuple(columns)
        self._fetch = fetch
        self._pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self._total = 0
        self._known = False
        """Whether the first page has arrived."""
        self._cursor = 0
        self._top = 0
        self._widths: list[int] = []
        self._wants: list[int] = []
        """Cells that each column has needed so far; columns never get narrower."""
        self._loading: set[int] = set()
        self._generation = 0
        """Pages of an earlier source are dropped when they arrive."""
        self._told: tuple[int, Row] | None = None
        self._look: _Look | None = None

    # What the screens call

    @property
    def total(self) -> int:
        """Rows of the source, as its last page said."""
        return self._total

    @property
    def cursor(self) -> int:
        """The row under the cursor, counted from 0."""
        return self._cursor

    @property
    def row(self) -> Row | None:
        """The values under the cursor, or None while they are being fetched."""
        return self._row(self._cursor)

    @property
    def is_fetching(self) -> bool:
        """Whether rows have been asked for that are still to come."""
        return bool(self._loading)

    def set_source(self, columns: Sequence[Column], fetch: Fetch) -> None:
        """Show another table from its first row."""
        self._columns, self._fetch = tuple(columns), fetch
        self._cursor = self._top = 0
        self._total, self._known, self._widths, self._wants = 0, False, [], []
        self.reload()

    def reload(self) -> None:
        """Fetch again; the cursor stays at its index, or goes to the last row there is."""
        self._generation += 1
        self._pages.clear()
        self._loading.clear()
        self._told = None
        if self._fetch is not None and self.is_attached:
            self._load(self._cursor // PAGE)
        self.refresh()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row."""
        before_cursor, before_top = self._cursor, self._top
        last = max(0, self._total - 1) if self._known else index
        self._cursor = max(0, min(index, last))
        height = self._body
        if self._cursor < self._top:
            self._top = self._cursor
        elif self._cursor >= self._top + height:
            self._top = self._cursor - height + 1
        self._top = max(0, min(self._top, self._total - height))
        self._want(self._cursor)
        if self._top != before_top:
            self.refresh()
        elif self._cursor != before_cursor:
            width = self.size.width
            self.refresh(*[Region(0, 1 + row - self._top, width, 1) for row in (before_cursor, self._cursor)])
        self._tell()

    def action_move(self, rows: int) -> None:
        """A key."""
        self.move_to(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """A key."""
        self.move_to(self._cursor + pages * max(1, self._body - 1))

    def action_first(self) -> None:
        """A key."""
        self.move_to(0)

    def action_last(self) -> None:
        """A key."""
        self.move_to(self._total - 1)

    def action_choose(self) -> None:
        """A key."""
        row = self.row
        if row is not None:
            self.post_message(self.RowSelected(self, self._cursor, row))

    # Events

    def on_mount(self) -> None:
        """Ask for the first page."""
        if self._fetch is not None:
            self.reload()

    def on_resize(self, _: events.Resize) -> None:
        """Fit the columns again."""
        self._widths = []
        self.move_to(self._cursor)
        self.refresh()

    def on_focus(self) -> None:
        """The cursor looks different with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor looks different without the focus."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Move to the row; a second click chooses it."""
        index = self._top + event.y - 1
        if event.y < 1 or index >= self._total:
            return
        again = index == self._cursor and event.chain > 1
        self.move_to(index)
        if again:
            self.action_choose()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.move_to(self._cursor + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.move_to(self._cursor - 3)

    # How it works

    @property
    def _body(self) -> int:
        return max(1, self.size.height - 1)

    def _row(self, index: int) -> Row | None:
        page = self._pages.get(index // PAGE)
        place = index % PAGE
        return page[place] if page is not None and place < len(page) else None

    def _want(self, index: int) -> None:
        """Fetch the pages that the view around a row needs."""
        if self._fetch is None or not self.is_attached:
            return
        if not self._known:
            self._load(index // PAGE)
            return
        for row in {index, self._top, min(self._top + self._body, max(0, self._total - 1))}:
            if self._row(row) is None and row < self._total:
                self._load(row // PAGE)

    def _load(self, page: int) -> None:
        if page in self._loading or page in self._pages:
            return
        self._loading.add(page)
        self.run_worker(
            self._fetched(page, self._generation), group="rows", exit_on_error=False, description="fetch rows"
        )

    async def _fetched(self, page: int, generation: int) -> None:
        fetch = self._fetch
        if fetch is None:
            return
        try:
            if inspect.iscoroutinefunction(fetch):
                rows, total = await fetch(page * PAGE, PAGE)
            else:
                plain = cast(Callable[[int, int], Page], fetch)
                rows, total = await asyncio.to_thread(plain, page * PAGE, PAGE)
        except Exception as error:
            if generation == self._generation:
                self._loading.discard(page)
                self.post_message(self.FetchFailed(self, error))
            return
        if generation == self._generation:
            self._loading.discard(page)
            self._arrived(page, list(rows), total)

    def _arrived(self, page: int, rows: Sequence[Row], total: int) -> None:
        if rows or not total:
            self._pages[page] = rows
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        self._total, self._known = total, True
        self._measure(rows)
        self.refresh()
        self.move_to(self._cursor)

    def _measure(self, rows: Sequence[Row]) -> None:
        """Take note of what the columns need, and fit them again when that is more than before."""
        wants = [
            max(
                cell_width(column.title),
                *(min(200, cell_width(_text(row[place]))) for row in rows if place < len(row)),
                1,
            )
            for place, column in enumerate(self._columns)
        ]
        if self._wants:
            wants = [max(pair) for pair in zip(wants, self._wants, strict=True)]
        if wants != self._wants or not self._widths:
            self._wants = wants
            self._fit()

    def _fit(self) -> None:
        """As wide as each needs, at most its width or a fair share of what is left; the last ones may go."""
        wants = self._wants
        # Numbers get longer the farther one goes: their columns are as wide from the start.
        most = [
            column.width if column.right else min(column.width, want)
            for column, want in zip(self._columns, wants, strict=True)
        ]
        shown = len(self._columns)
        while True:
            columns = self._columns[:shown]
            open_columns = {place for place, column in enumerate(columns) if not column.width}
            left = self.size.width - 1 - _GAP * (shown - 1) - sum(most[:shown])
            if shown == 1 or left >= sum(min(_LEAST, wants[place]) for place in open_columns):
                break
            shown -= 1
        widths = most[:shown]
        while open_columns:
            share = max(1, left // len(open_columns))
            small = [place for place in open_columns if wants[place] <= share]
            for place in small or sorted(open_columns):
                widths[place] = wants[place] if small else share
                left -= widths[place]
                open_columns.discard(place)
        self._widths = widths

    def _tell(self) -> None:
        row = self.row
        if row is None:
            return
        told = (self._cursor, row)
        if self._told != told:
            self._told = told
            self.post_message(self.RowHighlighted(self, self._cursor, row))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of one frame; what they have in common is asked for once, not by each of them."""
        self._look = self._new_look()
        lines = plain_lines(self, crop)
        return super().render_lines(crop) if lines is None else lines

    def render_line(self, y: int) -> Strip:
        """The header, then the rows in view."""
        look = self._look or self._new_look()
        if not self._widths and self._known:
            self._fit()
        if y == 0:
            if not self._known:
                return _note("loading …", look)
            return self._strip([(column.title, "header") for column in self._columns], look)
        index = self._top + y - 1
        if index >= self._total:
            return _note("nothing here" if self._known and y == 1 and not self._total else "", look)
        row = self._row(index)
        if row is None:
            self._want(index)
            row = [("…", "faint")]
        over = look.cursor if index == self._cursor else None
        return self._strip(row, look, over, "▐" if y - 1 == look.mark else " ")

    def _new_look(self) -> _Look:
        body = self._body
        return _Look(
            colours=palette_of(self),
            width=self.size.width,
            cursor=Style(reverse=True) if self.has_focus else Style(bold=True, underline=True),
            mark=-1 if self._total <= body else round(self._top / (self._total - body) * (body - 1)),
        )

    def _strip(self, row: Row, look: _Look, over: Style | None = None, mark: str = " ") -> Strip:
        styles = look.colours.style
        room = look.width - 1
        blank = styles()
        pieces: list[tuple[str, Style]] = []
        for place, cells in enumerate(self._widths or [room]):
            cells = min(cells, room)
            if cells <= 0:
                break
            cell = row[place] if place < len(row) else ""
            right = place < len(self._columns) and self._columns[place].right
            text = fit(_text(cell), cells, right=right)
            pieces.append((text, styles(cell[1]) if isinstance(cell, tuple) else blank))
            gap = min(_GAP, room - cells)
            pieces.append((" " * gap, blank))
            room -= cells + gap
        pieces.append((" " * room, blank))
        if over:
            pieces = [(text, style + over) for text, style in pieces]
        pieces.append((mark, styles("bullet")))
        segments = [
            Segment("".join([text for text, _ in alike]), style)
            for style, alike in groupby(pieces, itemgetter(1))
        ]
        return Strip(segments, look.width)


def _note(text: str, look: _Look) -> Strip:
    """A row that says something instead of showing values."""
    return Strip([Segment(fit(text, look.width), look.colours.style("faint"))], look.width)


def _text(cell: RowCell) -> str:
    return harmless_line(cell[0] if isinstance(cell, tuple) else cell)
