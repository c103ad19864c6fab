"""Lines drawn without Textual's cache of styled lines are those that it draws."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.widget import Widget

from rlft_tui.tui.widgets.plain_lines import plain_lines
from rlft_tui.tui.widgets.text_pane import TextPane

TEXT = (
    "# A heading\n\n" + "some **strong** words and `code` that go on for a while " * 20 + "\n\n- 日本語 😀\n"
)


class Panes(App[None]):
    def compose(self) -> ComposeResult:
        yield TextPane(TEXT)


@pytest.mark.anyio
@pytest.mark.parametrize("theme", ["textual-dark", "ansi-light"])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (0, 1, 0, 1), (0, 0, 0, 3), (0, 2, 0, 0)])
async def test_they_are_the_same_with_any_padding_at_the_sides(
    theme: str, padding: tuple[int, int, int, int]
) -> None:
    app = Panes()
    async with app.run_test(size=(50, 20)) as pilot:
        app.theme = theme
        pane = app.query_one(TextPane)
        pane.styles.padding = padding
        pane.styles.background = "#203040"
        await pilot.pause()
        for crop in (Region(0, 0, 50, 20), Region(0, 5, 50, 1), Region(3, 2, 40, 9), Region(49, 0, 1, 20)):
            assert plain_lines(pane, crop) == Widget.render_lines(pane, crop), crop


@pytest.mark.anyio
async def test_what_has_more_around_it_is_left_to_textual() -> None:
    app = Panes()
    async with app.run_test(size=(50, 20)) as pilot:
        pane = app.query_one(TextPane)
        whole = Region(0, 0, 50, 20)
        for name, value in (("border", ("round", "red")), ("padding", (1, 0)), ("opacity", 0.5)):
            usual = getattr(pane.styles, name)
            setattr(pane.styles, name, value)
            await pilot.pause()
            assert plain_lines(pane, whole) is None, name
            setattr(pane.styles, name, usual)
            await pilot.pause()
        assert plain_lines(pane, whole) is not None
