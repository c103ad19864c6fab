"""The frame around the screens: switching, help, keys, themes, sizes, errors."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from textual.binding import BindingType
from textual.events import Paste
from textual.screen import ModalScreen
from textual.worker import WorkerState

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import Settings
from rlft_tui.errors import UnavailableError
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.keymap import check_keymap
from rlft_tui.tui.screen_registry import SCREENS, screen_class
from rlft_tui.tui.screens.help import HelpScreen
from tests.conftest import add_pairs, kill_server
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_opens_by_digit_and_by_g_and_says_its_keys(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "home", size) as (app, pilot):
            for key, entry in SCREENS.items():
                if not entry.digit:
                    continue
                await pilot.press("g", entry.digit)
                await until(lambda key=key: app.current_mode == key, key, app)  # type: ignore[misc]
                await shows(app, entry.title, " help")
                await pilot.press("f1")
                await until(lambda: app.current_mode == "home", "home", app)
                if key not in ("label", "compare"):
                    await pilot.press(entry.digit)
                    await until(lambda key=key: app.current_mode == key, key, app)  # type: ignore[misc]

    drive(test)


def test_digits_are_verdicts_on_the_label_screen_and_nothing_else_there(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "2 left")
            await pilot.press("4", "5", "6", "7", "9")
            assert app.current_mode == "label"
            await pilot.press("q")
            await until(lambda: app.current_mode == "home", "home", app)
            assert app.is_running

    drive(test)


def test_help_lists_the_keys_of_the_screen_and_closes(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await pilot.press("question_mark")
            await shows(app, "label.skip", "Set this pair aside", "label.undo")
            await pilot.press("3")
            assert app.current_mode == "label", "keys of the screen underneath rest"
            await pilot.press("escape")
            await until(lambda: "label.skip" not in text_of(app), "the help to close", app)

    drive(test)


def test_every_action_of_a_screen_is_in_the_command_palette(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with workbench(workspace, "label") as (app, _):
            titles = [command.title for command in app.get_system_commands(app.screen)]
            for expected in ("Left (1)", "Undo (u)", "Skip (s)", "Confidence (c)", "Data (F3)", "Leave (^q)"):
                assert expected in titles

    drive(test)


def test_the_command_palette_goes_to_a_screen(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            await shows(app, "Import answer pairs")
            await pilot.press("ctrl+p", *"data")
            await shows(app, "Data (3)")
            await pilot.press("enter")
            await until(lambda: app.current_mode == "data", "the data screen", app)

    drive(test)


def test_every_binding_has_an_id_and_a_tooltip() -> None:
    from textual.binding import Binding

    places = {"app": RlftApp.BINDINGS, **{key: screen_class(key).BINDINGS for key in SCREENS}}
    for place, bindings in places.items():
        for binding in bindings:
            assert isinstance(binding, Binding), place
            assert binding.id, (place, binding)
            assert binding.tooltip, (place, binding)


def test_home_says_what_to_do_next_and_enter_does_it(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            await shows(app, "Import answer pairs", "rlft pairs import FILE")
            add_pairs(client, 3)
            await shows(app, "3 pairs wait for your verdict", "3 pairs", "0 labels")
            await pilot.press("enter")
            await until(lambda: app.current_mode == "label", "the label screen", app)

    drive(test)


def test_remapped_keys_work_and_wrong_ones_are_named(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 2)
    with workspace.settings.open("a") as settings:
        settings.write('[keymap]\n"label.first" = "h"\n"label.skpi" = "x"\n"label.flag" = "u"\n')

    async def test() -> None:
        async with workbench(workspace, "label", (160, 48)) as (app, pilot):
            await shows(app, "label.skip", "label.undo", "2 left")
            await pilot.press("h")
            await shows(app, "1 labelled")
            await pilot.press("u")
            await shows(app, "0 labelled")

    drive(test)


def test_a_theme_that_does_not_exist_gives_a_notice_and_the_usual_one(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    workspace.settings.write_text('labeler = "ada"\ntheme = "pink-elephants"\n')

    async def test() -> None:
        async with workbench(workspace, "home", (120, 30)) as (app, _):
            await shows(app, "pink-elephants")
            assert app.theme == "textual-dark"

    drive(test)


def test_tiny_terminals_say_so_and_recover(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with workbench(workspace, "data", (20, 5)) as (app, pilot):
            await shows(app, "too small")
            for screen in ("1", "3", "2"):
                await pilot.resize_terminal(80, 24)
                await shows(app, "? help")
                await pilot.press("g", screen)
                for size in ((20, 5), (1, 1), (40, 10)):
                    await pilot.resize_terminal(*size)
                    await pilot.press("question_mark", "escape", "g", "x")
            assert app.is_running

    drive(test)


def test_a_server_that_cannot_start_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    def fail() -> WorkspaceClient:
        raise UnavailableError("the disk is full", remedy="Make room")

    async def test() -> None:
        app = RlftApp(Workspace(tmp_path), Settings(labeler="ada"), connect=fail)
        async with app.run_test(size=(100, 24), notifications=True):
            await shows(app, "server lost, reconnecting", "the disk is full", "Make room")
            assert "Traceback" not in text_of(app)

    drive(test)


def test_a_lost_server_is_found_again_without_a_key(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace) as (app, _):
            await shows(app, "3 pairs")
            kill_server(workspace)
            with_more = add_pairs(client, 5, prefix="more")
            assert len(with_more) == 5
            await shows(app, "8 pairs")
            await until(lambda: app.link.state == "up", "the connection", app)

    drive(test)


def test_an_idle_screen_paints_nothing(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            await shows(app, "2 pairs wait")
            await pilot.pause()
            painted = 0
            show = app._display

            def count(*arguments: object) -> None:
                nonlocal painted
                painted += 1
                show(*arguments)  # type: ignore[arg-type]

            asked = 0
            home = app.screen._show  # type: ignore[attr-defined]

            def answered(answer: object) -> None:
                nonlocal asked
                asked += 1
                home(answer)

            app.screen._show = answered  # type: ignore[attr-defined]
            app._display = count  # type: ignore[method-assign]
            await until(lambda: asked >= 2, "two refreshes of the counts", app)
            assert painted == 0

    drive(test)


def test_keymap_checks_name_the_nearest_action_and_the_clash() -> None:
    from textual.binding import Binding

    places = {
        "one": [Binding("a", "x", id="one.a"), Binding("b,c", "y", id="one.b")],
        "two": [Binding("a", "z", id="two.a")],
    }
    checked = check_keymap({"one.a": "c"}, places)
    assert (checked.usable, len(checked.problems)) == ({}, 1)
    assert "one.b" in checked.problems[0]
    assert check_keymap({"one.a": "b", "one.b": "a"}, places).problems == ()
    assert check_keymap({"two.a": "b"}, places).usable == {"two.a": "b"}
    assert "one.a" in check_keymap({"one.aa": "z"}, places).problems[0]
    assert "names no key" in check_keymap({"one.a": "x,"}, places).problems[0]


def test_the_workbench_imports_nothing_heavy_before_its_first_frame() -> None:
    heavy = [
        "torch",
        "transformers",
        "duckdb",
        "pydantic",
        "fastapi",
        "plotext",
        "numpy",
        "httpx",
        "markdown_it",
    ]
    code = (
        "import sys, rlft_tui.tui.app;"
        "from rlft_tui.tui.screens import home, label, monitor;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_answer_that_nobody_planned_for_is_a_notice_and_the_workbench_goes_on(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with workbench(workspace, "home", (120, 30)) as (app, _):
            await shows(app, "Import answer pairs")

            def stumble(_: WorkspaceClient) -> None:
                raise ValueError("not planned")

            app.screen.call(stumble, lambda _: None)  # type: ignore[attr-defined]
            await shows(app, "unexpected error", "not planned")
            assert "stumble" in (workspace.root / "tui.log").read_text()

    drive(test)


def test_leaving_stops_what_still_works_for_a_screen_before_the_screen_is_taken_apart(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    seen: list[int] = []

    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            screen = app.screen

            async def wait() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    seen.append(len(screen.query("TopBar")))

            screen.run_worker(wait())
            await pilot.pause()

    drive(test)
    assert seen == [1]


def test_what_comes_late_to_a_closed_dialog_does_not_end_the_workbench(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            dialog: ModalScreen[None] = ModalScreen()
            await app.push_screen(dialog)

            async def search() -> None:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                dialog.query_one("#results")

            late = dialog.run_worker(search())
            await pilot.pause()
            await dialog.dismiss()
            await until(lambda: late.state is WorkerState.ERROR, "the late worker", app)
            await pilot.press("2")
            await until(lambda: app.current_mode == "label", "the next key", app)

    drive(test)


def test_a_dialog_that_is_dismissed_twice_closes_once(workspace: Workspace, client: WorkspaceClient) -> None:
    class Twice(ModalScreen[str]):
        def on_paste(self) -> None:
            self.dismiss("done")
            self.dismiss("again")

    async def test() -> None:
        async with workbench(workspace) as (app, pilot):
            answers: list[str | None] = []
            await app.push_screen(HelpScreen(app.screen))
            dialog = Twice()
            await app.push_screen(dialog, answers.append)
            dialog.post_message(Paste(""))
            await until(lambda: isinstance(app.screen, HelpScreen), "the dialog below", app)
            await pilot.pause()
            assert isinstance(app.screen, HelpScreen)
            assert answers == ["done"]

    drive(test)


def test_a_key_that_fails_is_a_notice_and_the_workbench_goes_on(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    class Early(ModalScreen[None]):
        BINDINGS: ClassVar[list[BindingType]] = [("j", "scroll", "scroll"), ("escape", "dismiss", "close")]

        def action_scroll(self) -> None:
            self.query_one("#not-yet-there")

    async def test() -> None:
        async with workbench(workspace, "home", (120, 30)) as (app, pilot):
            await app.push_screen(Early())
            await pilot.press("j")
            await shows(app, "unexpected error", "not-yet-there")
            await pilot.press("escape", "2")
            await until(lambda: app.current_mode == "label", "the next key", app)
            app._exception = None

    drive(test)


@pytest.mark.parametrize("key", SCREENS)
def test_leaving_while_a_screen_is_still_being_made_is_no_accident(
    workspace: Workspace, client: WorkspaceClient, key: str
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace) as (app, _):
            app.show_screen(key)

    drive(test)
