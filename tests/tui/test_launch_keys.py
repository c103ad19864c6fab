"""Moving about in the launch form."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.widgets import Input, Select

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetCheck, DatasetSpec
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.tui.screens.launch import LaunchScreen
from rlft_tui.tui.views.field_rows import FieldRow
from tests.tui.bench import front, page, shows, until, workbench
from tests.tui.conftest import label


@pytest.fixture
def _dataset(client: WorkspaceClient, tmp_path: Path) -> None:
    """And a model that nobody loads here."""
    client.add_model(Model("never-loaded", "base", str(tmp_path), created_at=1_700_000_000.0))
    label(client, 20)
    client.build_dataset(DatasetSpec(name="first"))


@pytest.mark.usefixtures("_dataset")
def test_up_and_down_go_from_field_to_field_and_the_hint_goes_along(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            assert screen.form is not None
            await pilot.press("ctrl+o")
            await shows(pilot, "output name")
            count = len(screen.form.fields)
            await until(pilot, lambda: len(screen.query(FieldRow)) == count, "all settings")
            names = [row.box_id for row in screen.query(FieldRow)]
            here = names.index("field-max_steps")
            for name in names[here + 1 : here + 12]:
                await pilot.press("down")
                assert screen.focused is not None
                assert screen.focused.id == name
                assert screen.focused.is_on_screen
            screen.query_one(f"#{names[-2]}").focus()
            await pilot.press("down")
            await shows(pilot, "trackers: Where the metrics go")
            screen.query_one(f"#{names[2]}").focus()
            for name in (names[1], names[0], "begin", "method"):
                await pilot.press("up")
                assert screen.focused is not None
                assert screen.focused.id == name
            await pilot.press("down", "down", "enter")
            choice = screen.query_one("#field-model", Select)
            await until(pilot, lambda: choice.expanded, "the list of models to open")

    asyncio.run(scenario())


@pytest.mark.parametrize(("onward", "first"), [("down", True), ("tab", True), ("enter", True), ("up", False)])
@pytest.mark.usefixtures("_dataset")
def test_keys_typed_ahead_go_into_the_field_that_they_are_meant_for(
    workspace: Workspace, onward: str, first: bool
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "Ready: ctrl+s")
            names = ("max_steps", "learning_rate") if first else ("learning_rate", "max_steps")
            here, there = (front(pilot, LaunchScreen).query_one(f"#field-{name}", Input) for name in names)
            here.focus()
            await pilot.pause()
            # All at once, as a terminal hands on what was typed while it was busy.
            for key in ("7", onward, "9"):
                pilot.app.post_message(Key(key, key if len(key) == 1 else None))
            await until(pilot, lambda: (here.value, there.value) == ("7", "9"), "each key in its field")

    asyncio.run(scenario())


@pytest.mark.usefixtures("_dataset")
def test_closing_the_help_leaves_the_form_as_it_was(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            screen.query_one("#field-max_steps", Input).value = "6"
            choice = screen.query_one("#field-model", Select)
            choice.focus()
            await shows(pilot, "model: What is trained")
            await pilot.press("question_mark")
            await shows(pilot, "Keys · launch")
            await pilot.press("escape", "ctrl+o")
            await shows(pilot, "output name", "--max-steps 6")
            await pilot.pause(0.5)
            assert choice.has_focus
            assert "output name" in page(pilot)
            await pilot.press("escape")
            await pilot.press("l")
            await shows(pilot, "Ready: ctrl+s", "--max-steps 6")

    asyncio.run(scenario())


@pytest.mark.usefixtures("_dataset")
def test_an_edit_while_the_data_is_looked_at_gives_the_launch_up(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_answer, answered = threading.Event(), threading.Event(), threading.Event()

    def check_launch(client: WorkspaceClient, values: dict[str, Any]) -> DatasetCheck:
        asked.set()
        may_answer.wait(10.0)
        answered.set()
        return DatasetCheck((), ("it is small",))

    monkeypatch.setattr(WorkspaceClient, "check_launch", check_launch)

    async def scenario() -> None:
        async with workbench(workspace, "launch", (80, 24)) as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            screen.query_one("#field-max_length", Input).focus()
            await pilot.press("ctrl+s")
            await until(pilot, asked.is_set, "the check to be asked for")
            await shows(pilot, "checking the data … (esc gives it up)")
            await pilot.press("question_mark")
            await shows(pilot, "✗ max_length must be a valid integer", "1 field to put right")
            may_answer.set()
            await until(pilot, answered.is_set, "the answer")
            workers = pilot.app.workers
            await until(pilot, lambda: all(each.group != "start" for each in workers), "it to be taken")
            assert pilot.app.screen is screen
            await shows(pilot, "1 field to put right")
            assert "Ready" not in page(pilot)
            await pilot.press("backspace", "2", "5", "6", "ctrl+s")
            await shows(pilot, "Launch with this?", "it is small")
            await pilot.press("escape")
            await shows(pilot, "Ready: ctrl+s", "--max-length 256")

    asyncio.run(scenario())


class Held:
    """A call to the server that answers when it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.asked, self.may_answer = threading.Event(), threading.Event()
        real = getattr(WorkspaceClient, name)

        def held(client: WorkspaceClient, *given: Any) -> Any:
            self.asked.set()
            self.may_answer.wait(200.0)
            return real(client, *given)

        monkeypatch.setattr(WorkspaceClient, name, held)


@pytest.mark.usefixtures("_dataset")
def test_a_form_being_read_says_so_launches_nothing_and_can_be_left(
    workspace: Workspace, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "Ready: ctrl+s checks the data and launches")
            screen = front(pilot, LaunchScreen)
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is not screen, "the runs")
            models, told = Held(monkeypatch, "models"), []
            monkeypatch.setattr(LaunchScreen, "notify", lambda screen, text, **_: told.append(text))
            await pilot.press("l")
            await until(pilot, models.asked.is_set, "the models to be asked for")
            await shows(pilot, "reading models and data sets")
            assert "Ready" not in page(pilot)
            await pilot.press("ctrl+s")
            assert told == ["Not yet: reading models and data sets …"]
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is not screen, "the runs")
            models.may_answer.set()
            await pilot.press("l")
            await shows(pilot, "Ready: ctrl+s checks the data and launches")

    asyncio.run(scenario())
    assert not client.runs()


@pytest.mark.usefixtures("_dataset")
def test_a_form_left_while_its_data_are_checked_launches_nothing(
    workspace: Workspace, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Held(monkeypatch, "check_launch")

    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            await pilot.press("ctrl+s")
            await until(pilot, check.asked.is_set, "the check to be asked for")
            told: list[str] = []
            monkeypatch.setattr(LaunchScreen, "notify", lambda screen, text, **_: told.append(text))
            await pilot.press("f3")
            await until(pilot, lambda: pilot.app.screen is not screen, "the data")
            assert told == ["Nothing was launched: the form was left while it was checking"]
            other = pilot.app.screen
            assert other is not screen
            check.may_answer.set()
            workers = pilot.app.workers
            await until(pilot, lambda: all(each.group != "start" for each in workers), "the answer")
            assert pilot.app.screen is other

    asyncio.run(scenario())
    assert not client.runs()


@pytest.mark.usefixtures("_dataset")
def test_the_bar_names_a_key_for_help_that_is_no_text_in_the_field(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch", (80, 24)) as pilot:
            await shows(pilot, "Ready: ctrl+s", "F12 help")
            screen = front(pilot, LaunchScreen)
            await pilot.press("f12")
            await shows(pilot, "Keys · launch")
            await pilot.press("f12")
            await until(pilot, lambda: pilot.app.screen is screen, "the form")
            assert screen.query_one("#field-max_steps", Input).value == "40"
            screen.query_one("#method").focus()
            await shows(pilot, "? help")

    asyncio.run(scenario())


@pytest.mark.usefixtures("_dataset")
def test_typing_takes_the_place_of_a_value_and_arrows_keep_it(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch", (80, 24)) as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            steps = screen.query_one("#field-max_steps", Input)
            assert steps.has_focus
            await pilot.press("4")
            assert steps.value == "4"
            await pilot.press("8", "up", "down")
            assert steps.value == "48"
            await pilot.press("end", "0")
            assert steps.value == "480"
            await pilot.press("up", "down", "home", "1")
            assert steps.value == "1480"

    asyncio.run(scenario())
