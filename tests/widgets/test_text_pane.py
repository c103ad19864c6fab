"""The pane as a reader meets it: shows, scrolls, streams, resizes."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.geometry import Region

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.text_pane import TextPane
from tests.widgets.texts import EVERYTHING, harmful
from tests.widgets.waiting import until

pytestmark = pytest.mark.anyio

LONG = "\n\n".join(f"paragraph {number} " + "word " * 30 for number in range(400))


class Panes(App[None]):
    """Two panes side by side, as the label and compare screens have them."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[str] = []

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield TextPane(id="left")
            yield TextPane(id="right")

    def on_text_pane_end_reached(self, event: TextPane.EndReached) -> None:
        self.ends.append(event.pane.id or "")

    @property
    def left(self) -> TextPane:
        return self.query_one("#left", TextPane)


def view(pane: TextPane) -> list[str]:
    """The rows in view, without the position mark's column."""
    return [pane.render_line(y).text[:-1].rstrip() for y in range(pane.size.height)]


async def test_the_start_is_in_view_at_once_and_the_rest_follows() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show(LONG)
        assert view(app.left)[0].startswith("paragraph 0 word")
        assert not app.left.finished
        await until(pilot, lambda: app.left.finished)
        assert app.left.line_count > 400


async def test_every_row_fills_the_pane_and_is_harmless() -> None:
    app = Panes()
    async with app.run_test(size=(81, 24)) as pilot:
        app.left.show(EVERYTHING + "\x1b[2J\u202e\x07 你好 " * 40)
        await until(pilot, lambda: app.left.finished)
        for _ in range(6):
            for y in range(app.left.size.height):
                strip = app.left.render_line(y)
                assert strip.cell_length == app.left.size.width
                assert sum(cell_width(segment.text) for segment in strip) == app.left.size.width
                assert harmful(strip.text) == ""
            app.left.scroll_page(1)


async def test_keys_wheel_and_ends() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.show(LONG)
        pane.focus()
        await until(pilot, lambda: pane.finished)
        await pilot.press("pagedown")
        assert pane.top == 23
        await pilot.press("down", "up", "up")
        assert pane.top == 22
        await pilot.press("pageup")
        assert pane.top == 0
        assert app.ends == []
        await pilot.press("end")
        await pilot.pause()
        assert pane.at_end
        assert app.ends == ["left"]
        assert view(pane)[-1].startswith("word")
        await pilot.press("pagedown", "home")
        assert pane.top == 0
        await pilot.press("end")
        await pilot.pause()
        assert app.ends == ["left"]
        pane.scroll_lines(10**9)
        assert pane.top == pane.line_count - pane.size.height


async def test_a_short_text_is_read_at_once() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show("short")
        await until(pilot, lambda: app.ends == ["left"])
        assert app.left.at_end
        assert all(app.left.render_line(y).text[-1] == " " for y in range(24))
        app.left.show("another")
        await until(pilot, lambda: app.ends == ["left", "left"])


async def test_the_mark_shows_the_position() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.show(LONG)
        await until(pilot, lambda: pane.finished)

        def marked() -> list[int]:
            return [y for y in range(24) if pane.render_line(y).text[-1] == "▐"]

        assert marked() == [0]
        pane.scroll_finish()
        assert marked() == [23]
        pane.scroll_lines(-pane.top // 2)
        assert marked() in ([11], [12])


async def test_a_prefetched_text_is_only_painted() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        kept = pane._kept.documents
        pane.show("first")
        pane.prefetch(LONG)
        await until(pilot, lambda: (LONG, True, ()) in kept and kept[LONG, True, ()].finished)
        ready = kept[LONG, True, ()]
        rows = list(ready.lines)
        pane.show(LONG)
        assert pane._document is ready
        assert all(old is new for old, new in zip(rows, ready.lines, strict=True))
        assert pane.finished


async def test_only_the_last_few_texts_are_kept() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        for number in range(30):
            app.left.show(f"text {number}")
            app.left.prefetch(f"text {number + 1}")
            await pilot.pause()
        assert len(app.left._kept.documents) <= 6
        assert view(app.left)[0] == "text 29"


async def test_the_newest_text_wins_when_texts_change_fast() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        for number in range(20):
            app.left.show(f"number {number}\n\n{LONG}")
        await until(pilot, lambda: app.left.finished)
        assert view(app.left)[0] == "number 19"


async def test_keep_scroll_stays_where_the_reader_is() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show(LONG)
        app.left.scroll_page(2)
        top = app.left.top
        app.left.show(LONG + "\n\nmore", keep_scroll=True)
        assert app.left.top == top
        app.left.show(LONG)
        assert app.left.top == 0
        await pilot.pause()


async def test_plain_text_is_not_markdown() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show("# no *heading*\n\n    - x", markdown=False)
        await pilot.pause()
        assert view(app.left)[:3] == ["# no *heading*", "", "    - x"]


async def test_resizing_keeps_the_place() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.show(LONG)
        await until(pilot, lambda: pane.finished)
        pane.scroll_lines(next(y for y in range(10**6) if "paragraph 200 " in row(pane, y)))
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: pane.size.width == 80 and pane.finished)
        assert any(f"paragraph {number} " in "\n".join(view(pane)) for number in (199, 200, 201))
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: pane.size.width == 30 and pane.finished)
        assert any(f"paragraph {number} " in "\n".join(view(pane)) for number in (198, 199, 200, 201))
        assert all(pane.render_line(y).cell_length == 30 for y in range(20))


def row(pane: TextPane, y: int) -> str:
    return "".join(segment.text for segment in pane._document.lines[y])


async def test_a_theme_change_recolours_the_text() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = "textual-dark"
        app.left.show("# Title")
        await pilot.pause()
        dark = {segment.style for segment in app.left.render_line(0)}
        app.theme = "textual-light"
        await until(pilot, lambda: {segment.style for segment in app.left.render_line(0)} != dark)
        assert view(app.left)[0] == "Title"
        app.theme = "textual-ansi" if "textual-ansi" in app.available_themes else "ansi-dark"
        await pilot.pause()
        assert view(app.left)[0] == "Title"


async def test_a_huge_text_shows_its_start_and_scrolls() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.show("start " + "x" * 5_000_000 + " line\n" * 1_000_000)
        assert view(pane)[0] == "start"
        pane.scroll_page(3)
        assert pane.top == 69
        await pilot.pause(0.05)
        assert not pane.finished
        pane.show("small")
        await until(pilot, lambda: pane.finished)
        assert view(pane)[0] == "small"


async def test_a_stream_appears_and_sticks_to_its_end() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.stream_start()
        pane.append("# He")
        pane.append("llo\n\nwor")
        await until(pilot, lambda: view(pane)[:3] == ["Hello", "", "wor"])
        for number in range(60):
            pane.append(f"\n\nline {number}")
        await until(pilot, lambda: any("line 59" in line for line in view(pane)))
        assert pane.top > 0
        assert app.ends == []
        pane.stream_end()
        await until(pilot, lambda: app.ends == ["left"])
        assert pane.text.endswith("line 59")
        pane.append("late")
        await pilot.pause(0.1)


async def test_a_reader_who_scrolled_up_stays_there() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.stream_start()
        for number in range(60):
            pane.append(f"line {number}\n\n")
        await until(pilot, lambda: any("line 59" in line for line in view(pane)))
        pane.scroll_start()
        pane.append("line 60\n\n")
        await until(pilot, lambda: "line 60" in row(pane, len(pane._document.lines) - 1))
        assert pane.top == 0
        pane.scroll_finish()
        for number in range(61, 120):
            pane.append(f"line {number}\n\n")
        await until(pilot, lambda: any("line 119" in line for line in view(pane)))


async def test_a_stream_repaints_only_what_changed() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.stream_start()
        pane.append("one two")
        await until(pilot, lambda: view(pane)[0] == "one two")
        regions: list[Region] = []
        repaint = pane.refresh

        def noted(*changed: Region, **options: bool) -> TextPane:
            regions.extend(changed)
            return repaint(*changed, **options)

        pane.refresh = noted  # type: ignore[method-assign]
        pane.append(" three")
        await until(pilot, lambda: view(pane)[0] == "one two three")
        assert regions == [Region(8, 0, 5, 1)]


async def test_pieces_of_a_stream_may_end_anywhere() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.left
        pane.stream_start()
        for character in EVERYTHING:
            pane.append(character)
        pane.stream_end()
        await until(pilot, lambda: pane.finished)
        streamed = list(pane._document.lines)
        pane._kept.clear()
        pane.show(EVERYTHING)
        await until(pilot, lambda: pane.finished)
        assert pane._document.lines == streamed


async def test_a_text_given_before_there_is_room_is_shown_later() -> None:
    class Early(App[None]):
        def compose(self) -> ComposeResult:
            pane = TextPane("from the start", id="pane")
            pane.show("shown early")
            yield pane

    app = Early()
    async with app.run_test(size=(40, 5)) as pilot:
        pane = app.query_one(TextPane)
        await until(pilot, lambda: view(pane)[0] == "shown early")


async def test_a_pane_of_a_few_cells_does_not_fail() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show(EVERYTHING)
        await pilot.resize_terminal(9, 2)
        await until(pilot, lambda: app.left.size.width < 6)
        assert all(app.left.render_line(y).cell_length == app.left.size.width for y in range(2))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: view(app.left)[0] == "Title one")


async def test_the_source_is_shown_on_demand_and_the_place_is_kept() -> None:
    app = Panes()
    async with app.run_test(size=(80, 24)) as pilot:
        app.left.show(r"**so** $\frac{a}{b}$" + "\n\n" + LONG)
        await until(pilot, lambda: app.left.finished)
        assert view(app.left)[0] == "so a/b"
        app.left.source = True
        assert view(app.left)[0] == r"**so** $\frac{a}{b}$"
        app.left.scroll_page(3)
        before = view(app.left)[0]
        app.left.source = False
        await until(pilot, lambda: app.left.finished)
        assert before in view(app.left)
        app.left.source = True
        app.left.show(r"next: $x_1$")
        assert view(app.left)[0] == r"next: $x_1$"
        app.left.stream_start()
        app.left.append(r"stream $x_1$")
        app.left.stream_end()
        assert view(app.left)[0] == r"stream $x_1$"
