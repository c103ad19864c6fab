"""Comparing two models with the real inference worker."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from textual.widgets import Input, Select, TextArea

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.screens.compare import CompareScreen
from rlft_tui.tui.widgets.text_pane import TextPane
from tests.tui.bench import SIZES, front, page, shows, until, vanishes, workbench


def test_blind_comparison_is_stored_as_an_ordinary_preference(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    one, two = tiny_models

    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models")
            screen = front(pilot, CompareScreen)
            screen.query_one("#model-0", Select).value = one
            screen.query_one("#model-1", Select).value = two
            screen.query_one("#max-tokens", Input).value = "12"
            await pilot.press(*"Say 123")
            assert screen.query_one("#prompt", TextArea).text == "Say 123"
            await pilot.press("ctrl+r")
            await shows(pilot, "Which is better?", "Answer 1 · ", "Answer 2 · ", "tokens/s together")
            shown = screen.round
            assert [answer.done for answer in shown.answers] == [True, True]
            await pilot.press("2")
            await shows(pilot, "Stored: right is better", f"{one} · ", f"{two} · ")
            pair = client.pairs().pairs[0]
            assert (pair.prompt, pair.source, pair.model_a, pair.model_b) == ("Say 123", "compare", one, two)
            assert pair.settings["a"] == {"temperature": 0.7, "max_new_tokens": 12, "seed": 1}
            assert pair.response_a == shown.answers[0].text
            (verdict,) = client.labels()
            assert verdict.example_id == pair.id
            assert verdict.labeler_id == "ada"
            assert verdict.shown_first == shown.left
            assert verdict.choice == ("b" if shown.left == "a" else "a")

            await pilot.press("ctrl+r")
            await shows(pilot, "Which is better?")
            assert screen.round.seed == 2
            await pilot.press("3")
            await shows(pilot, "Stored: no difference")
            assert len(client.labels()) == 2

            screen.query_one("#max-tokens", Input).value = "4000"
            await pilot.press("ctrl+r")
            await until(pilot, lambda: any(a.text for a in screen.round.answers), "the stream to begin")
            await pilot.press("escape")
            await shows(pilot, "cancelled; ctrl+r generates again")
            await pilot.press("1")
            assert len(client.labels()) == 2

    asyncio.run(scenario())


def test_answers_that_are_done_stand_at_their_start_and_escape_is_offered_in_a_field_only(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models", "esc leave field")
            screen = front(pilot, CompareScreen)
            screen.query_one("#max-tokens", Input).value = "400"
            await pilot.press("h", "i", "ctrl+r")
            await shows(pilot, "Which is better?")
            panes = list(screen.query(TextPane))
            assert any(pane.line_count > pane.size.height for pane in panes)
            assert [pane.top for pane in panes] == [0, 0]
            await vanishes(pilot, "leave field")

    asyncio.run(scenario())


def test_models_asked_for_or_chosen_stay_when_the_screen_comes_back_to_the_front(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    one, two = tiny_models
    client.import_prompts("prompts.jsonl", b'{"prompt": "About the moon"}')

    def add(name: str, at: float) -> None:
        client.add_model(Model(name, "adapter", f"/nowhere/{name}", base=one, created_at=at))

    add("older", 1_700_000_100.0)
    add("newer", 1_700_000_200.0)

    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models")
            screen = front(pilot, CompareScreen)
            boxes = [screen.query_one(f"#model-{index}", Select) for index in (0, 1)]

            async def there_and_back() -> list[object]:
                """By way of Home and of the picker; what the lists say once the models were read again."""
                await pilot.press("f1", "f6")
                await until(pilot, lambda: pilot.app.screen is screen, "Compare in front")
                await pilot.press("escape", "p")
                await shows(pilot, "1 prompts")
                await pilot.press("enter")
                await until(pilot, lambda: pilot.app.screen is screen, "Compare in front")
                reading = [each for each in screen.workers if each.group == "models"]
                await until(pilot, lambda: all(each.is_finished for each in reading), "the models")
                return [box.value for box in boxes]

            assert await there_and_back() == [one, "newer"]
            app = cast(RlftApp, pilot.app)
            app.show_screen("compare", models=(one, "older"))
            assert await there_and_back() == [one, "older"]
            boxes[0].value = two
            assert await there_and_back() == [two, "older"]

    asyncio.run(scenario())


def test_a_suggestion_gives_way_to_a_newer_model(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models")
            tuned = front(pilot, CompareScreen).query_one("#model-1", Select)
            assert tuned.value == "tiny-two"
            client.add_model(Model("new", "adapter", "/nowhere/new", base="tiny-one", created_at=1.8e9))
            await pilot.press("f1", "f6")
            await until(pilot, lambda: tuned.value == "new", "the newer model")

    asyncio.run(scenario())


@pytest.mark.parametrize("size", SIZES)
def test_what_is_missing_is_said_in_one_line(workspace: Workspace, size: tuple[int, int]) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "compare", size) as pilot:
            await shows(pilot, "No model yet: rlft models pull smollm2-135m")
            await pilot.press("x", "ctrl+r")
            await shows(pilot, "choose two models first")

    asyncio.run(scenario())


def test_sampling_is_checked_by_the_spec(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models")
            await pilot.press("ctrl+r")
            await shows(pilot, "write a prompt first")
            screen = front(pilot, CompareScreen)
            await pilot.press("h", "i")
            screen.query_one("#temperature", Input).value = "9"
            await pilot.press("ctrl+r")
            await shows(pilot, "temperature: must be less than or equal to 5")
            screen.query_one("#temperature", Input).value = "0"
            screen.query_one("#seed", Input).value = "one"
            await pilot.press("ctrl+r")
            await shows(pilot, "seed: must be a whole number")

    asyncio.run(scenario())


def test_a_stored_prompt_is_picked_by_search(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    lines = [f'{{"prompt": "Question {n} about the {thing}"}}' for n, thing in enumerate(["sea", "moon"])]
    client.import_prompts("prompts.jsonl", "\n".join(lines).encode())

    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models")
            await pilot.press("escape", "p")
            await shows(pilot, "2 prompts", "the sea", "the moon")
            await pilot.press(*"moon")
            await vanishes(pilot, "the sea")
            await pilot.press("enter")
            screen = front(pilot, CompareScreen)
            assert screen.query_one("#prompt", TextArea).text == "Question 1 about the moon"
            await pilot.press("b")
            await shows(pilot, "names shown")
            assert "Traceback" not in page(pilot)

    asyncio.run(scenario())


def test_a_model_that_cannot_be_loaded_is_an_error_on_the_screen(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str], tiny_folder: object
) -> None:
    from pathlib import Path

    folder = Path(str(tiny_folder)).with_name("broken")
    folder.mkdir(exist_ok=True)
    for file in Path(str(tiny_folder)).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    client.add_model(Model("broken", "base", str(folder), created_at=1_800_000_000.0))
    (folder / "model.safetensors").write_bytes(b"not weights")

    async def scenario() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, "ctrl+r answers the prompt with both models")
            screen = front(pilot, CompareScreen)
            screen.query_one("#model-0", Select).value = "broken"
            screen.query_one("#model-1", Select).value = "broken"
            await pilot.press("h", "i", "ctrl+r")
            await until(pilot, lambda: screen.round.state == "failed", "the failure")
            await shows(pilot, "✗ ")
            await pilot.press("1")
            assert client.labels() == ()

    asyncio.run(scenario())
