"""Compare with the real inference worker, driven by keys."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, TextArea

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Model
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.screens.compare import CompareScreen
from tests.tui.bench import front, page, shows, until, vanishes, workbench

ONE, TWO, THREE = "tiny-one", "tiny-two", "tiny-three"
ASKS = "has the prompt answered by all models"


def drive(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@asynccontextmanager
async def comparing(
    workspace: Workspace,
    *models: str,
    tokens: int = 12,
    size: tuple[int, int] = (80, 24),
) -> AsyncIterator[tuple[Pilot[Any], CompareScreen]]:
    """The screen with these models in the form and short answers."""
    async with workbench(workspace, "compare", size) as pilot:
        await shows(pilot, ASKS)
        screen = front(pilot, CompareScreen)
        for row, name in enumerate(models or (ONE, TWO)):
            screen.query_one(f"#model-{row}", Select).value = name
        screen.query_one("#max-new-tokens-0", Input).value = str(tokens)
        await pilot.pause()
        yield pilot, screen


def newest(client: WorkspaceClient) -> tuple[ResponsePair, Preference]:
    """The verdict stored last, and its pair."""
    verdict = client.labels()[-1]
    return next(pair for pair in client.pairs(limit=1000).pairs if pair.id == verdict.example_id), verdict


def test_a_verdict_is_stored_with_every_setting_and_names_come_after_it(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with comparing(workspace) as (pilot, screen):
            screen.query_one("#temperature-1", Input).value = "1.3"
            screen.query_one("#system", Input).value = "Be brief."
            await pilot.press(*"Say 123")
            assert screen.query_one("#prompt", TextArea).text == "Say 123"
            await pilot.press("enter")
            await shows(pilot, "Which is better?", "Answer 1", "Answer 2")
            answers = page(pilot).partition("Answer 1")[2]
            assert "tiny" not in answers
            assert not re.search(r"\d tokens", answers)
            await pilot.press("n", *"clear", "enter", "c", "4")
            await shows(pilot, "confidence 4 · note: clear")
            await pilot.press("2")
            await shows(pilot, "Stored: right is better", f"✓ {screen.round.name(1)[:8]}")
            pair, verdict = newest(client)
            assert (pair.prompt, pair.source, pair.model_a, pair.model_b) == ("Say 123", "compare", ONE, TWO)
            assert [(turn.role, turn.content) for turn in pair.context] == [("system", "Be brief.")]
            a, b = pair.settings["a"], pair.settings["b"]
            assert a == {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 12, "seed": 1}
            assert (b["temperature"], b["max_new_tokens"]) == (1.3, 12)
            assert (pair.settings["blind"], pair.settings["system"]) == (True, "Be brief.")
            assert pair.response_a == screen.round.answers[0].text
            assert (verdict.labeler_id, verdict.confidence, verdict.reasoning) == ("ada", 4, "clear")
            assert verdict.choice == "ab"[screen.round.order[1]]

            await pilot.press("u")
            await shows(pilot, "taken back: right is better")
            assert verdict.id not in {one.id for one in client.labels()}
            await pilot.press("+")
            await shows(pilot, "Stored: both good")
            same, verdict = newest(client)
            assert same == pair, "judged again after an undo it is the same pair"
            assert (verdict.choice, verdict.quality) == ("tie", "both_good")
            assert "after the names had been shown" in verdict.reasoning

            await pilot.press("ctrl+r")
            await shows(pilot, "Which is better?", "seed 2")
            await pilot.press("m")
            await shows(pilot, "and how much?", "1 2 3 4", "6 7 8 9")
            await pilot.press("9")
            await shows(pilot, "Stored: right is significantly better")
            assert newest(client)[1].strength == 4
            await pilot.press("m")

    drive(test)


def test_a_file_of_prompts_is_gone_through_with_one_key_a_verdict(
    workspace: Workspace, client: WorkspaceClient, prompt_file: Path
) -> None:
    async def test() -> None:
        async with comparing(workspace) as (pilot, screen):
            before = len(client.labels())
            await pilot.press("escape", "f")
            await shows(pilot, "no prompts stored")
            await pilot.press(*str(prompt_file))
            await shows(pilot, f"go through {prompt_file.name}")
            await pilot.press("enter")
            await shows(pilot, "1 of 3 · questions.txt", "First question", "Which is better?")
            await until(pilot, lambda: screen._ahead is not None, "the next answers to be begun")
            ahead = screen._ahead
            assert ahead is not None
            await pilot.press("1")
            await shows(pilot, "2 of 3", "Second question", "Which is better?")
            assert screen.round is ahead.shown
            assert "tiny" not in page(pilot), "names stay hidden until the end"
            await pilot.press("u")
            await shows(pilot, "1 of 3", "taken back: left is better")
            assert len(client.labels()) == before
            await pilot.press("3")
            await shows(pilot, "2 of 3", "Which is better?")
            assert screen.round is ahead.shown, "what waited is shown again, not answered anew"
            await pilot.press("s")
            await shows(pilot, "3 of 3", "Third question", "Which is better?")
            await pilot.press("left_square_bracket")
            await shows(pilot, "2 of 3", "Which is better?")
            assert screen.round is ahead.shown
            await pilot.press("2")
            await shows(pilot, "3 of 3", "Which is better?")
            await pilot.press("2")
            await shows(pilot, "The prompts are through", "All 3 prompts are through", ONE, TWO)
            stored = client.labels()[before:]
            pairs = {pair.id: pair.prompt for pair in client.pairs(limit=1000).pairs}
            assert [pairs[one.example_id].split()[0] for one in stored] == ["First", "Second", "Third"]

    drive(test)


def test_stored_prompts_are_taken_alone_or_all_that_a_search_finds(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    things = ["the sea", "the moon", "moonlight"]
    lines = [f'{{"prompt": "Tell of {thing}", "category": "nature"}}' for thing in things]
    client.import_prompts("prompts.jsonl", "\n".join(lines).encode())

    async def test() -> None:
        async with comparing(workspace) as (pilot, screen):
            await pilot.press("escape", "f")
            await shows(pilot, "3 prompts", "the sea", "the moon")
            await pilot.press(*"moon")
            await vanishes(pilot, "the sea")
            await pilot.press("enter")
            assert screen.query_one("#prompt", TextArea).text == "Tell of the moon"
            await pilot.press("f", *"moon")
            await shows(pilot, "2 prompts")
            await pilot.press("ctrl+a")
            await shows(pilot, "1 of 2 · prompts with “moon”", "Which is better?")
            await pilot.press("3")
            await shows(pilot, "2 of 2")
            assert newest(client)[0].category == "nature"

    drive(test)


def test_four_answers_are_put_in_order_and_become_pairs_with_their_settings(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with comparing(workspace, ONE, TWO, THREE, ONE, tokens=16) as (pilot, screen):
            screen.query_one("#temperature-3", Input).value = "1.5"
            await pilot.press(*"Four?", "enter")
            await shows(pilot, "Which is best?", "Answer 3", "Answer 4")
            await pilot.press("3", "equals_sign", "1")
            await shows(pilot, "3 = 1 > …", "the rest after them")
            await pilot.press("backspace", "2", "enter")
            await shows(pilot, "Stored: 3 > 2 > the rest")
            ranking = client.rankings()[-1]
            assert ranking.open_end
            shown = screen.round
            best = shown.answer(2).text
            assert ranking.responses[ranking.order[0][0]] == best
            verdicts = [one for one in client.labels() if one.source == f"ranking:{ranking.id}"]
            assert len(verdicts) == 5
            pairs = {pair.id: pair for pair in client.pairs(limit=1000).pairs}
            for one in verdicts:
                pair = pairs[one.example_id]
                assert {"temperature", "top_p", "max_new_tokens", "seed"} <= set(pair.settings["b"])
                if best in (pair.response_a, pair.response_b):
                    assert best == (pair.response_a if one.choice == "a" else pair.response_b)
            await pilot.press("u")
            await shows(pilot, "taken back")
            assert not [one for one in client.labels() if one.source == f"ranking:{ranking.id}"]
            await pilot.press("d", "1", "4")
            await until(pilot, lambda: screen.places() == [0, 3], "two of them side by side")
            await pilot.press("escape", "z")
            assert screen.places() == [0]
            await pilot.press("escape", "minus")
            await shows(pilot, "Stored: all bad")
            tied = [one for one in client.labels() if one.source == f"ranking:{client.rankings()[-1].id}"]
            assert {(one.choice, one.quality) for one in tied} == {("tie", "both_bad")}
            assert len(tied) == 6

    drive(test)


def test_the_conversation_goes_on_with_the_better_answer(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with comparing(workspace) as (pilot, screen):
            await pilot.press(*"Hello", "enter")
            await shows(pilot, "Which is better?")
            await pilot.press("1")
            await shows(pilot, "Stored: left is better")
            better = screen.round.answer(0).text
            await pilot.press("t")
            await shows(pilot, "The conversation so far", "turn 2")
            await pilot.press(*"And then?", "enter")
            await shows(pilot, "Which is better?", "Answer 1")
            assert "tiny" not in page(pilot).partition("Answer 1")[2], "blind again"
            await pilot.press("p")
            await shows(pilot, "assistant", "Hello")
            await pilot.press("p", "3")
            await shows(pilot, "Stored: no difference")
            pair, _ = newest(client)
            assert [(turn.role, turn.content) for turn in pair.context] == [
                ("user", "Hello"),
                ("assistant", better),
            ]
            assert (pair.prompt, pair.settings["turn"]) == ("And then?", 2)

    drive(test)


def test_each_token_tells_how_likely_it_was_and_what_else_was(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with comparing(workspace, size=(120, 40)) as (pilot, screen):
            await pilot.press(*"Hi", "enter")
            await shows(pilot, "Which is better?")
            await pilot.press("i")
            await shows(pilot, "bold underlined", "1/", "instead: ")
            await pilot.press("right", "right")
            await shows(pilot, "3/")
            place = screen.token_place()
            third = screen.round.answer(place).probabilities[2]
            assert 0 < third.probability < 1
            assert third.probability <= third.top[0][1]
            await pilot.press("end", "full_stop", "2")
            await shows(pilot, "Stored: right is better")

    drive(test)


def test_a_killed_worker_is_told_within_a_second_and_one_key_starts_another(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with comparing(workspace, tokens=4000) as (pilot, screen):
            await pilot.press(*"Hello", "enter")
            await until(pilot, lambda: any(each.text for each in screen.round.answers), "the stream")
            before = client.labels()
            pid = client.inference_status()["pid"]
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            await shows(pilot, "the inference worker ended", "^r asks again")
            assert time.monotonic() - killed < 1.0
            await pilot.press("1")
            assert client.labels() == before
            screen.query_one("#max-new-tokens-0", Input).value = "8"
            await pilot.press("ctrl+r")
            await shows(pilot, "Which is better?")
            assert client.inference_status()["pid"] != pid

            screen.query_one("#max-new-tokens-0", Input).value = "4000"
            await pilot.press("ctrl+r")
            await until(pilot, lambda: any(each.text for each in screen.round.answers), "the stream")
            await pilot.press("escape")
            await shows(pilot, "cancelled: answers that were cut off are not judged; ^r generates again")
            await pilot.press("1")
            assert client.labels() == before

    drive(test)


def test_answers_that_are_done_stand_at_their_start(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with comparing(workspace, tokens=800, size=(60, 10)) as (pilot, screen):
            await shows(pilot, "F12 help")
            await pilot.press("h", "i", "ctrl+r")
            await shows(pilot, "Which is better?")
            panes = screen.panes()
            assert any(pane.line_count > pane.size.height for pane in panes)
            assert [pane.top for pane in panes] == [0, 0]

    drive(test)


def test_models_asked_for_or_chosen_stay_and_a_suggestion_gives_way_to_a_newer_model(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    def add(name: str, at: float) -> None:
        client.add_model(Model(name, "adapter", f"/nowhere/{name}", base=ONE, created_at=at))

    async def test() -> None:
        async with workbench(workspace, "compare") as pilot:
            await shows(pilot, ASKS)
            screen = front(pilot, CompareScreen)
            boxes = [screen.query_one(f"#model-{index}", Select) for index in (0, 1)]
            assert [box.value for box in boxes] == [THREE, THREE]
            add("older", 1_700_000_100.0)
            add("newer", 1_700_000_200.0)

            async def there_and_back() -> list[object]:
                # f7 while the prompt has the focus: no text area may keep it
                await pilot.press("f7")
                await until(pilot, lambda: pilot.app.screen is not screen, "Models in front")
                await pilot.press("f6")
                await until(pilot, lambda: pilot.app.screen is screen, "Compare in front")
                reading = [each for each in screen.workers if each.group == "models"]
                await until(pilot, lambda: all(each.is_finished for each in reading), "the models")
                return [box.value for box in boxes]

            assert await there_and_back() == [ONE, "newer"]
            cast(RlftApp, pilot.app).show_screen("compare", models=(ONE, "older"))
            assert await there_and_back() == [ONE, "older"]
            boxes[0].value = TWO
            assert await there_and_back() == [TWO, "older"]

    drive(test)


def test_a_providers_model_stands_in_the_form_and_its_bursts_tell_nothing(
    workspace: Workspace, client: WorkspaceClient, provider: str
) -> None:
    async def test() -> None:
        async with comparing(workspace, provider, ONE) as (pilot, screen):
            assert screen.form.chosen[:2] == (provider, ONE)
            await pilot.press(*"one two", "enter")
            await shows(pilot, "Which is better?", "two one", "Answer 1")
            assert provider not in page(pilot)
            await pilot.press("2")
            await shows(pilot, "Stored: right is better", provider)
            pair, _ = newest(client)
            assert (pair.model_a, pair.response_a.strip(), pair.model_b) == (provider, "two one", ONE)

    drive(test)


def test_what_cannot_be_asked_is_said_in_one_line(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with comparing(workspace) as (pilot, screen):
            await pilot.press("ctrl+r")
            await shows(pilot, "write a prompt first")
            await pilot.press("h", "i")
            screen.query_one("#temperature-0", Input).value = "9"
            await pilot.press("ctrl+r")
            await shows(pilot, "temperature: must be less than or equal to 5")
            screen.query_one("#temperature-0", Input).value = "0"
            screen.query_one("#seed-1", Input).value = "one"
            await pilot.press("ctrl+r")
            await shows(pilot, "seed: must be a whole number")
            screen.query_one("#model-1", Select).clear()
            await pilot.press("ctrl+r")
            await shows(pilot, "choose two models first")

    drive(test)


def test_a_model_that_cannot_be_loaded_is_an_error_on_the_screen(
    workspace: Workspace, client: WorkspaceClient, tmp_path: Path
) -> None:
    whole = Path(next(model.path for model in client.models() if model.name == ONE))
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in whole.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    client.add_model(Model("broken", "base", str(folder), created_at=1_600_000_000.0))
    (folder / "model.safetensors").write_bytes(b"not weights")

    async def test() -> None:
        async with comparing(workspace, "broken", ONE) as (pilot, screen):
            before = client.labels()
            await pilot.press("h", "i", "enter")
            await until(pilot, lambda: screen.round.state == "failed", "the failure")
            await shows(pilot, "✗ ")
            await pilot.press("1")
            assert client.labels() == before

    drive(test)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
def test_three_sides_fit_every_terminal(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    async def test() -> None:
        async with comparing(workspace, ONE, TWO, THREE, size=size) as (pilot, screen):
            await shows(pilot, "one more model")
            await pilot.press("escape", "o")
            widths = [screen.pane(place).outer_size.width for place in range(3)]
            expected = {60: 60, 80: 39, 160: 52}[size[0]]
            assert abs(widths[0] - expected) <= 1
            assert all(screen.pane(place).size.height >= 2 for place in range(3))

    drive(test)
