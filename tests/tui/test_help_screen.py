"""The list of keys: readable at every size, the screen's own keys first."""

from __future__ import annotations

import re

import pytest
from textual.binding import Binding

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from rlft_tui.tui.screen_registry import SCREENS, screen_class
from rlft_tui.tui.screens.help import HelpScreen
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench

ROW = re.compile(r"│ {1,12}(\S.*?) {2,}(\S.*?) {2,}([a-z]+\.[a-z_]+)\s*[│▁-█]")


@pytest.mark.parametrize("screen", ["home", "label", "data", "monitor"])
@pytest.mark.parametrize("size", SIZES)
def test_keys_stand_in_three_columns_and_those_of_the_screen_come_first(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int], screen: str
) -> None:
    async def test() -> None:
        async with workbench(workspace, screen, size) as (app, pilot):
            await shows(app, "? help")
            own = {binding.id for binding in Binding.make_bindings(type(app.screen).BINDINGS)}
            await pilot.press("question_mark")
            await shows(app, f"Keys · {screen}")
            rows = [line for line in text_of(app).splitlines() if re.search(r"\s[a-z]+\.[a-z_]+\s", line)]
            found = [ROW.search(line) for line in rows]
            assert all(found), "\n".join(rows)
            assert len({match.start(2) for match in found if match}) == 1
            assert len({match.start(3) for match in found if match}) == 1
            first = found[0]
            assert first is not None
            assert first[3] in own

    drive(test)


def test_j_and_k_scroll_and_the_width_follows_the_terminal(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await pilot.press("question_mark")
            await shows(app, "label.first")
            await pilot.press(*"jjjjjj")
            await until(lambda: "label.first" not in text_of(app), "the list to scroll", app)
            await pilot.press(*"kkkkkk")
            await shows(app, "label.first")
            await pilot.resize_terminal(160, 48)
            await shows(app, "Leave the workbench", "app.models")
            await pilot.press("question_mark")
            await until(lambda: not isinstance(app.screen, HelpScreen), "the help to close", app)

    drive(test)


def test_where_digits_judge_help_and_palette_name_the_function_keys(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with workbench(workspace, "label", (160, 48)) as (app, pilot):
            await shows(app, "? help")
            assert "Models (F7)" in [command.title for command in app.get_system_commands(app.screen)]
            await pilot.press("question_mark")
            await shows(app, " F7  Go to Models")
            assert "7 F7" not in text_of(app)

    drive(test)


def test_no_screen_lacks_a_line_on_what_it_is_for() -> None:
    assert [key for key in SCREENS if not screen_class(key).HELP] == []


def test_the_words_of_the_key_bar_are_written_alike_on_every_screen() -> None:
    words = {
        binding.description
        for key in SCREENS
        for binding in Binding.make_bindings(screen_class(key).BINDINGS)
        if binding.show
    }
    assert sorted(word for word in words if word != word.lower()) == []
