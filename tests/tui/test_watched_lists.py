"""What a list says before anything was read of it, and when it cannot be read."""

from __future__ import annotations

import threading

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import read_settings
from rlft_tui.errors import UnavailableError
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.list_pane import fitting
from tests.tui.workbench import drive, shows, text_of


def test_no_screen_says_that_there_is_nothing_before_it_has_looked(workspace: Workspace) -> None:
    answer = threading.Event()

    def connect() -> WorkspaceClient:
        answer.wait()
        raise UnavailableError("no server here")

    lists = ("runs", "models", "rounds", "studies", "evaluations")

    async def test() -> None:
        app = RlftApp(workspace, read_settings(workspace.settings), connect=connect, screen="home")
        async with app.run_test(size=(80, 24)) as pilot:
            for name in (*lists, "compare", "launch", "label", "score", "rank", "data", "statistics"):
                app.show_screen(name)
                await pilot.pause()
                await pilot.resize_terminal(100, 30)
                await pilot.press(*("s" if name in lists else ()))
                await pilot.resize_terminal(80, 24)
                said = text_of(app)
                assert "yet" not in said, said
                if name in lists:
                    assert "reading" in said
            answer.set()
            for name in lists:
                app.show_screen(name)
                await shows(app, "no server here")

    try:
        drive(test)
    finally:
        answer.set()


def test_a_list_keeps_its_first_column_however_narrow_the_terminal_is() -> None:
    columns = (("run", 23), ("status", 12))
    assert fitting(columns, 80) == columns
    assert fitting(columns, 30) == columns[:1]
    assert fitting(columns, 20) == (("run", 19),)
    assert fitting(columns, 0) == (("run", 1),)
