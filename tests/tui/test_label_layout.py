"""The label screen's lines: counts that fit, a prompt that opens, digits that judge nothing."""

from __future__ import annotations

from msgspec.structs import replace

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.preference import Progress
from rlft_tui.paths import Workspace
from rlft_tui.tui.label_session import LabelSession
from rlft_tui.tui.label_text import status_text
from rlft_tui.tui.screens.label import LabelScreen
from rlft_tui.tui.widgets.text_pane import TextPane
from tests.conftest import add_pairs, make_pairs
from tests.tui.workbench import drive, shows, text_of, until, workbench


def test_of_the_counts_as_many_are_shown_as_fit_wholly() -> None:
    session = LabelSession("ada")
    session.phase = "finished"
    session.progress = Progress(22, 1, 1, 89, per_hour=2990.0, seconds_left=107.0)
    whole = "22 labelled · 89 left · 1 skipped · 1 flagged · 2,990/h · about 2 min to go"
    assert str(status_text(session, "", 78)) == whole
    assert str(status_text(session, "", len(whole) - 1)) == whole.rpartition(" · ")[0]
    assert str(status_text(session, "", 120, repeats=True)) == whole + " · hidden repeats counted"
    assert str(status_text(session, "", len(whole), repeats=True)) == whole
    assert str(status_text(session, "", 12)) == "22 labelled"
    session.confidence = 4
    assert str(status_text(session, "", 40)) == "confidence 4   22 labelled · 89 left"


def test_an_answer_that_ends_at_the_limit_is_marked(workspace: Workspace, client: WorkspaceClient) -> None:
    how = {"temperature": 0.8, "cut": False}
    (pair,) = make_pairs(1)
    client.add_pairs([replace(pair, settings={"a": {**how, "cut": True}, "b": how})])

    async def test() -> None:
        async with workbench(workspace, "label") as (app, _):
            await shows(app, "1 left", "cut off")
            assert isinstance(app.screen, LabelScreen)
            current = app.screen.session.current
            assert current is not None
            row = next(line for line in text_of(app).splitlines() if "cut off" in line)
            assert row.count("cut off") == 1
            assert (row.index("cut off") < len(row) / 2) == (current.left == "a")

    drive(test)


def test_a_terminal_too_small_shows_nothing_else_after_a_note(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "2 left")
            await pilot.press("n", *"why", "enter")
            await shows(app, "note: why")
            await pilot.resize_terminal(30, 8)
            await shows(app, "too small")
            await until(lambda: "left" not in text_of(app), "the rest to go", app)
            await pilot.resize_terminal(80, 24)
            await shows(app, "note: why", "2 left")

    drive(test)


def test_an_opened_prompt_takes_no_more_room_than_it_needs(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "2 left")
            prompt = app.screen.query_one("#prompt", TextPane)
            before = prompt.size.height
            await pilot.press("p")
            await until(lambda: prompt.has_focus, "the prompt to open", app)
            assert prompt.size.height == before
            await pilot.press("p")
            await until(lambda: not prompt.has_focus, "the prompt to close", app)

    drive(test)


def test_a_digit_that_judges_nothing_says_which_key_opens_that_screen(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "2 left")
            await pilot.press("7")
            await shows(app, "g7 or F7 opens Models")
            assert app.current_mode == "label"
            await pilot.press("g", "7")
            await until(lambda: app.current_mode == "models", "the models", app)

    drive(test)
