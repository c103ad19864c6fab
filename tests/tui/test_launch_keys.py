"""Moving about in the launch form."""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Input, Select

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.paths import Workspace
from rlft_tui.tui.screens.launch import LaunchScreen
from tests.tui.bench import SIZES, front, page, shows, until, workbench
from tests.tui.conftest import label


@pytest.fixture
def _dataset(client: WorkspaceClient, tiny_models: tuple[str, str]) -> None:
    label(client, 20)
    client.build_dataset(DatasetSpec(name="first"))


@pytest.mark.usefixtures("_dataset")
@pytest.mark.parametrize("size", SIZES)
def test_up_and_down_go_through_every_field_and_the_hint_goes_along(
    workspace: Workspace, size: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch", size) as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            assert screen.form is not None
            if size == (80, 24):
                await pilot.press("ctrl+o")
                await shows(pilot, "LoRA alpha")
            names = ["field-" + field.name.replace(".", "-") for field in screen.form.fields]
            here = names.index("field-max_steps")
            for name in names[here + 1 :]:
                await pilot.press("down")
                assert screen.focused is not None
                assert screen.focused.id == name
                assert screen.focused.is_on_screen
            if size == (80, 24):
                await shows(pilot, "stop seconds: How long")
            for name in reversed(names[:-1]):
                await pilot.press("up")
                assert screen.focused is not None
                assert screen.focused.id == name
            await pilot.press("enter")
            choice = screen.query_one("#field-model", Select)
            await until(pilot, lambda: choice.expanded, "the list of models to open")

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
            await shows(pilot, "LoRA alpha", "--max-steps 6")
            await pilot.pause(0.5)
            assert choice.has_focus
            assert "LoRA alpha" in page(pilot)
            await pilot.press("escape")
            await pilot.press("l")
            await shows(pilot, "Ready: ctrl+s", "--max-steps 6")

    asyncio.run(scenario())
