"""Labelling through the real screen into the real store."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from textual.events import Key

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Message
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.label_session import LabelSession
from rlft_tui.tui.screens.label import LabelScreen
from tests.conftest import add_pairs, kill_server
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


def session_of(app: RlftApp) -> LabelSession:
    assert isinstance(app.screen, LabelScreen)
    return app.screen.session


async def judging(app: RlftApp, not_pair: str = "") -> str:
    """Wait until a pair other than ``not_pair`` may be judged; its id."""
    session = session_of(app)

    def ready() -> bool:
        current = session.current
        return session.phase == "judging" and current is not None and current.pair.id != not_pair

    await until(ready, "a pair to judge", app)
    assert session.current is not None
    return session.current.pair.id


@pytest.mark.parametrize("size", SIZES)
def test_each_key_stores_what_was_on_that_side(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    add_pairs(client, 4)

    async def test() -> None:
        async with workbench(workspace, "label", size) as (app, pilot):
            expected = {}
            pair = ""
            for key, place in (("1", "left"), ("2", "right"), ("3", "tie")):
                pair = await judging(app, pair)
                current = session_of(app).current
                assert current is not None
                assert current.left_text.split(",")[0].rstrip(".") in text_of(app)
                expected[pair] = (current.choice(place), current.left)  # type: ignore[arg-type]
                await pilot.press(key)
            await judging(app, pair)
            stored = {label.example_id: (label.choice, label.shown_first) for label in client.labels()}
            assert stored == expected
            await shows(app, "3 labelled · 1 left")

    drive(test)


def test_a_key_before_the_first_pair_decides_nothing_and_says_so(
    workspace: Workspace, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_pairs(client, 2)
    may_come, queue = threading.Event(), WorkspaceClient.queue

    def held(client: WorkspaceClient, *given: Any, **more: Any) -> Any:
        may_come.wait(200.0)
        return queue(client, *given, **more)

    monkeypatch.setattr(WorkspaceClient, "queue", held)

    async def test() -> None:
        async with workbench(workspace, "label", (80, 24)) as (app, pilot):
            await shows(app, "looking for the next pair")
            for key in ("1", "s", "n", "c", "plus"):
                app.screen._paint_status()  # type: ignore[attr-defined]
                await pilot.press(key)
                await shows(app, "that key did nothing")
            may_come.set()
            await judging(app)
            assert "that key did nothing" not in text_of(app)
            assert client.labels() == ()

    drive(test)


def test_no_model_name_is_on_screen_before_or_after_a_verdict(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    names = ("secret-one", "secret-two")
    client.add_pairs([ResponsePair(f"p{n}", "Why?", "This.", "That.", *names) for n in range(2)])

    async def test() -> None:
        async with workbench(workspace, "label", (160, 48)) as (app, pilot):
            first = await judging(app)
            assert "secret" not in text_of(app)
            await pilot.press("1")
            await judging(app, first)
            assert "secret" not in text_of(app)

    drive(test)


def test_confidence_and_note_are_stored_with_one_verdict(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            await pilot.press("c", "4", "n", *"is 1 of 2", "enter")
            await shows(app, "confidence 4", "note: is 1 of 2")
            assert client.labels() == (), "digits of a note or a confidence are no verdicts"
            await pilot.press("2")
            second = await judging(app, first)
            assert "confidence" not in text_of(app).splitlines()[-2]
            await pilot.press("3")
            await judging(app, second)
            stored = {label.example_id: label for label in client.labels()}
            assert (stored[first].confidence, stored[first].reasoning) == (4, "is 1 of 2")
            assert (stored[second].confidence, stored[second].reasoning) == (None, "")
            assert stored[first].labeler_id == "ada"

    drive(test)


def test_escape_leaves_a_note_and_a_confidence_as_they_were(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press("n", *"never")
            await shows(app, "⏎ keep the note   esc leave it")
            assert "both good" not in text_of(app)
            await pilot.press("escape")
            await shows(app, "both good")
            await pilot.press("c", "escape", "1")
            await judging(app, pair)
            (stored,) = client.labels()
            assert (stored.confidence, stored.reasoning) == (None, "")

    drive(test)


def test_skip_and_flag_set_pairs_aside_with_the_note(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            skipped = await judging(app)
            await pilot.press("s")
            flagged = await judging(app, skipped)
            await pilot.press("n", *"empty", "enter", "f")
            await judging(app, flagged)
            marks = {entry.operation.example_id: entry.operation for entry in client.history("ada")}
            assert marks[skipped].kind == "skip"  # type: ignore[union-attr]
            assert (marks[flagged].kind, marks[flagged].note) == ("flag", "empty")  # type: ignore[union-attr]
            await shows(app, "1 left", "1 skipped", "1 flagged")

    drive(test)


def test_undo_goes_back_over_restarts_and_shows_the_former_verdict(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 4)

    async def label_two() -> list[str]:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            await pilot.press("c", "5", "1")
            second = await judging(app, first)
            await pilot.press("s")
            await judging(app, second)
            return [first, second]

    async def test() -> None:
        first, second = await label_two()
        async with workbench(workspace, "label") as (app, pilot):
            third = await judging(app)
            await pilot.press("u")
            assert await judging(app, third) == second
            await shows(app, "taken back: skipped")
            await pilot.press("u")
            assert await judging(app, second) == first
            await shows(app, "taken back: left better, confidence 5", "chosen before")
            assert client.labels() == ()
            await pilot.press("u")
            await shows(app, "nothing to take back")
            await pilot.press("2")
            assert await judging(app, first) == second
            await pilot.press("3")
            assert await judging(app, second) == third
            assert {label.example_id for label in client.labels()} == {first, second}

    drive(test)


def test_the_last_verdict_can_be_taken_back_at_the_end_of_the_queue(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 1)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press("1")
            await shows(app, "Every pair is labelled", "1 verdict stored")
            await pilot.press("u")
            assert await judging(app) == pair
            assert client.labels() == ()

    drive(test)


def test_an_empty_store_shows_how_to_import_and_goes_on_by_itself(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await shows(app, "No pairs to label yet", "rlft pairs import")
            await pilot.press("1", "s", "f", "n", "z", "p", "p", "space", "tab", "c")
            await pilot.press("escape")
            add_pairs(client, 1)
            assert await judging(app) == "pair-0"

    drive(test)


def test_keys_faster_than_the_store_judge_no_pair_unseen(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    """Every stored verdict is on a pair that was painted before its key came."""
    add_pairs(client, 12)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            session = session_of(app)
            painted: list[str] = []
            tell = session.painted

            def note_painted(at: float) -> None:
                assert session.current is not None
                painted.append(session.current.pair.id)
                tell(at)

            session.painted = note_painted  # type: ignore[method-assign]
            await until(lambda: session.phase == "judging", "the first pair", app)
            await pilot.press(*"1" * 10)
            await until(lambda: session.pending is None and session.phase == "judging", "rest", app)
            stored = [label.example_id for label in client.labels()]
            first = [pair for pair in stored if pair not in painted]
            assert len(first) <= 1, "only the pair painted before the test looked"
            assert len(stored) == len(set(stored))
            assert len(stored) <= len(painted) + 1

    drive(test)


def test_a_server_killed_while_labelling_stores_the_next_verdict_once(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 4)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            await pilot.press("1")
            second = await judging(app, first)
            await asyncio.to_thread(kill_server, workspace)
            await pilot.press("2")
            third = await judging(app, second)
            await pilot.press("1")
            await judging(app, third)
            judged = [label.example_id for label in client.labels()]
            assert judged == [first, second, third]

    drive(test)


def test_two_windows_of_one_labeller_label_side_by_side(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 6)

    async def test() -> None:
        async with workbench(workspace, "label") as (one, _):
            pair = await judging(one)
            await asyncio.to_thread(client.add_label, Preference(new_id(), pair, "ada", "tie"))
            session = session_of(one)
            verdict_key = session.judge("left", 1e12)
            assert verdict_key is not None
            assert isinstance(one.screen, LabelScreen)
            one.screen._store(verdict_key)
            await judging(one, pair)
            (current,) = [label for label in client.labels() if label.example_id == pair]
            assert current.id == verdict_key.id

    drive(test)


def test_earlier_turns_open_and_close(workspace: Workspace, client: WorkspaceClient) -> None:
    turns = (Message("user", "First question"), Message("assistant", "First reply"))
    client.add_pairs([ResponsePair("p", "Second question", "This.", "That.", context=turns)])

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            await shows(app, "Second question", "2 earlier turns")
            assert "First reply" not in text_of(app)
            await pilot.press("p")
            await shows(app, "First question", "First reply")
            await pilot.press("escape")
            await until(lambda: "First reply" not in text_of(app), "the prompt to close", app)

    drive(test)


def test_control_characters_in_an_answer_reach_no_terminal(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    nasty = "\x1b[2J\x1b]0;owned\x07 and \u202e turned"
    client.add_pairs([ResponsePair("p", f"ask {nasty}", f"left {nasty}", f"right {nasty}", category=nasty)])

    async def test() -> None:
        async with workbench(workspace, "label") as (app, _):
            await judging(app)
            text = text_of(app)
            assert "\x1b" not in text
            assert "\x07" not in text
            assert "\u202e" not in text

    drive(test)


def test_keys_in_one_piece_with_the_end_of_a_note_are_no_part_of_it(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, _):
            first = await judging(app)
            for key in ("n", "o", "k", "enter", "c", "4", "n", "x", "escape", "2"):
                app.post_message(Key(key, key if len(key) == 1 else None))
            await judging(app, first)
            (stored,) = client.labels()
            assert (stored.example_id, stored.reasoning, stored.confidence) == (first, "ok", 4)

    drive(test)


def test_wide_view_shows_one_answer_then_the_other_then_both(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            current = session_of(app).current
            assert current is not None
            left, right = app.screen.query_one("#left-side"), app.screen.query_one("#right-side")
            views = []
            for _ in range(3):
                await pilot.press("z")
                views.append((left.display, right.display))
            assert views == [(True, False), (False, True), (True, True)]
            await pilot.press("z", "2")
            await judging(app, pair)
            (stored,) = client.labels()
            assert stored.choice == current.choice("right")
            assert (left.display, right.display) == (True, True), "of the next pair both are seen"

    drive(test)


def test_small_and_changing_terminals_are_survived(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label", (20, 5)) as (app, pilot):
            await shows(app, "too small")
            await pilot.press("1", "2", "u", "s", "f", "question_mark", "escape")
            assert client.labels() == (), "what cannot be seen cannot be judged"
            for size in ((40, 12), (60, 20), (1, 1), (200, 60), (80, 24)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
            pair = await judging(app)
            await pilot.press("1")
            await judging(app, pair)
            assert len(client.labels()) == 1

    drive(test)


def test_a_text_put_into_a_hidden_answer_is_there_when_it_comes_back(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press("z", "1")
            await judging(app, pair)
            current = session_of(app).current
            assert current is not None
            for text in (current.left_text, current.right_text):
                await shows(app, text.split(",")[0])

    drive(test)


def test_leaving_with_a_verdict_that_could_not_be_stored_says_so_and_fails(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 3)
    server = client.health().pid

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            os.kill(server, signal.SIGSTOP)
            try:
                await pilot.press("1", "ctrl+q")
                await until(lambda: app.return_code is not None, "the end")
                assert app.return_code == 1
            finally:
                os.kill(server, signal.SIGCONT)

    drive(test)
