"""A window over many rows: fetched as needed, drawn harmlessly, with a cursor."""

from __future__ import annotations

import threading

import pytest
from textual.app import App, ComposeResult

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.row_window import PAGE, Column, Page, RowWindow
from tests.widgets.texts import harmful
from tests.widgets.waiting import until

pytestmark = pytest.mark.anyio

COLUMNS = [Column("number", 8, right=True), Column("text"), Column("note")]


class Table(App[None]):
    """A table of a million rows made up on demand."""

    def __init__(self, total: int = 1_000_000) -> None:
        super().__init__()
        self.rows_there = total
        self.asked: list[tuple[int, int]] = []
        self.highlighted: list[int] = []
        self.selected: list[tuple[int, str]] = []
        self.errors: list[Exception] = []
        self.broken = False
        self.thread = 0

    def fetch(self, offset: int, limit: int) -> Page:
        self.thread = threading.get_ident()
        self.asked.append((offset, limit))
        if self.broken:
            raise ValueError("no server")
        numbers = range(offset, min(offset + limit, self.rows_there))
        return [(str(number), f"row {number}", ("faint", "faint")) for number in numbers], self.rows_there

    def compose(self) -> ComposeResult:
        yield RowWindow(COLUMNS, self.fetch)

    def on_row_window_row_highlighted(self, event: RowWindow.RowHighlighted) -> None:
        self.highlighted.append(event.index)

    def on_row_window_row_selected(self, event: RowWindow.RowSelected) -> None:
        self.selected.append((event.index, str(event.row[1])))

    def on_row_window_fetch_failed(self, event: RowWindow.FetchFailed) -> None:
        self.errors.append(event.error)

    @property
    def window(self) -> RowWindow:
        return self.query_one(RowWindow)


def view(window: RowWindow) -> list[str]:
    return [window.render_line(y).text[:-1].rstrip() for y in range(window.size.height)]


async def test_one_page_is_fetched_to_open_a_million_rows() -> None:
    app = Table()
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: app.highlighted == [0])
        assert app.asked == [(0, PAGE)]
        assert app.thread != threading.get_ident()
        assert app.window.total == 1_000_000
        assert view(app.window)[:3] == [
            "  number  text     note", "       0  row 0    faint", "       1  row 1    faint",
        ]  # fmt: skip
        assert all(cell_width(row) <= 60 for row in view(app.window))


async def test_keys_move_and_fetch_what_comes_into_view() -> None:
    app = Table()
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: app.highlighted == [0])
        app.window.focus()
        await pilot.press("down", "down", "up")
        assert app.window.cursor == 1
        await pilot.press("pagedown")
        assert app.window.cursor == 11
        await pilot.press("end")
        await until(pilot, lambda: app.highlighted[-1:] == [999_999])
        assert "row 999999" in view(app.window)[-1]
        assert len(app.asked) == 2
        await pilot.press("enter")
        await until(pilot, lambda: app.selected == [(999_999, "row 999999")])
        await pilot.press("home", "up", "pageup")
        assert app.window.cursor == 0
        assert "row 0" in view(app.window)[1]


async def test_rows_on_their_way_are_shown_as_such_and_few_pages_are_kept() -> None:
    app = Table()
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: app.highlighted == [0])
        for page in range(1, 12):
            app.window.move_to(page * PAGE)
            await until(pilot, lambda page=page: app.highlighted[-1:] == [page * PAGE])
        assert len(app.window._pages) <= 6
        app.window.move_to(0)
        assert app.window.row is None
        await until(pilot, lambda: app.window.row is not None)


async def test_a_page_boundary_in_view_is_filled_from_both_pages() -> None:
    app = Table()
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: app.highlighted == [0])
        app.window.move_to(PAGE + 4)
        await until(
            pilot, lambda: f"row {PAGE - 1}" in "".join(view(app.window)) and app.window.row is not None
        )
        assert "…" not in "".join(view(app.window))


async def test_empty_and_short_tables() -> None:
    app = Table(0)
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: "nothing here" in view(app.window)[1])
        app.window.focus()
        await pilot.press("down", "enter", "end", "pageup")
        assert app.selected == []
        app.rows_there = 3
        app.window.reload()
        await until(pilot, lambda: app.window.total == 3 and app.window.row is not None)
        await pilot.press("end")
        assert app.window.cursor == 2
        app.rows_there = 1
        app.window.reload()
        await until(pilot, lambda: app.window.total == 1 and app.window.cursor == 0)


async def test_a_failed_fetch_is_told_and_can_be_tried_again() -> None:
    app = Table()
    app.broken = True
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: [str(error) for error in app.errors] == ["no server"])
        app.broken = False
        app.window.reload()
        await until(pilot, lambda: app.highlighted == [0])


async def test_an_async_source_and_untrusted_text() -> None:
    async def fetch(offset: int, limit: int) -> Page:
        return [("\x1b[31m1\n", "你好 " * 40 + "\u202e", "🇩🇪\x07")], 1

    app = Table()
    async with app.run_test(size=(40, 6)) as pilot:
        app.window.set_source(COLUMNS, fetch)
        await until(pilot, lambda: "你好" in view(app.window)[1])
        for y in range(6):
            strip = app.window.render_line(y)
            assert strip.cell_length == cell_width(strip.text) == 40
            assert harmful(strip.text) == ""
            assert all(segment.style is not None for segment in strip)


async def test_a_click_moves_and_a_double_click_chooses() -> None:
    app = Table()
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: app.highlighted == [0])
        await pilot.click(RowWindow, offset=(5, 4))
        assert app.window.cursor == 3
        await pilot.double_click(RowWindow, offset=(5, 4))
        await until(pilot, lambda: app.selected[-1:] == [(3, "row 3")])


async def test_where_there_is_no_room_the_last_columns_go_and_the_others_stay_readable() -> None:
    app = Table(5)
    async with app.run_test(size=(18, 8)) as pilot:
        await until(pilot, lambda: view(app.window)[1].endswith("row 0"))
        assert view(app.window)[0].split() == ["number", "text"]
