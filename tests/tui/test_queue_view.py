"""Choosing which pairs come, on the label screen."""

from __future__ import annotations

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.queue_view import QueueView
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.tui.screens.label import LabelScreen
from rlft_tui.tui.screens.queue_view import QueueViewScreen
from tests.tui.workbench import SIZES, drive, shows, until, workbench


def two_kinds(client: WorkspaceClient) -> None:
    client.add_pairs(
        [
            ResponsePair(f"p{n}", f"{kind} question {n}", "This.", "That.", category=kind)
            for n in range(6)
            for kind in [("code", "prose")[n % 2]]
        ]
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_filter_and_an_order_are_chosen_shown_and_kept(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    two_kinds(client)

    async def test() -> None:
        async with workbench(workspace, "label", size) as (app, pilot):
            await shows(app, "6 left")
            await pilot.press("o")
            await until(lambda: isinstance(app.screen, QueueViewScreen), "the form", app)
            await shows(app, "there are code, prose")
            await pilot.press(*"cobol", "enter")
            await shows(app, "No pair with category cobol")
            await pilot.press(*["backspace"] * 5, *"code", "enter")
            screen = app.screen
            assert isinstance(screen, LabelScreen)
            session = screen.session
            await until(lambda: len(session.upcoming) >= 2, "the next pairs", app)
            assert {item.pair.category for item in session.upcoming} == {"code"}
            await shows(app, "code")
            assert app.queue_view == QueueView(category="code", repeats=True)
            for _ in range(4):
                await until(lambda: session.phase in ("judging", "finished"), "a pair", app)
                await pilot.press("1")
            await until(lambda: session.phase == "finished", "the end of the filtered queue", app)
            assert {label.example_id for label in client.labels()} >= {"p0", "p2", "p4"}
            await pilot.press("o")
            await until(lambda: isinstance(app.screen, QueueViewScreen), "the form", app)
            await pilot.press("ctrl+r")
            await until(lambda: session.phase == "judging", "the other pairs", app)
            assert app.queue_view == QueueView(repeats=True)

    drive(test)


def test_escape_leaves_the_queue_as_it_was(workspace: Workspace, client: WorkspaceClient) -> None:
    two_kinds(client)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "6 left")
            await pilot.press("o")
            await until(lambda: isinstance(app.screen, QueueViewScreen), "the form", app)
            await pilot.press(*"code", "escape")
            await until(lambda: isinstance(app.screen, LabelScreen), "the label screen", app)
            assert app.queue_view == QueueView(repeats=True)
            await shows(app, "6 left")

    drive(test)


def test_pairs_that_another_screen_asks_for_come_at_once_with_their_counts(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    two_kinds(client)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "6 left")
            screen = app.screen
            assert isinstance(screen, LabelScreen)
            session = screen.session
            for kind in ("code", "prose"):
                await until(lambda: session.phase == "judging", "a pair", app)
                app.show_screen("home")
                await until(lambda: app.current_mode == "home", "Home", app)
                app.queue_view = QueueView(category=kind)
                app.show_screen("label")
                await shows(app, "3 left", f"{kind} question")
                assert session.current is not None
                assert session.current.pair.category == kind
            await pilot.press("o")
            await until(lambda: isinstance(app.screen, QueueViewScreen), "the form", app)
            await pilot.press("ctrl+r")
            await shows(app, "6 left")

    drive(test)
