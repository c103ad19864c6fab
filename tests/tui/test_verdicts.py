"""Strength, both good and both bad, revising, un-skipping and written answers, on the real screen."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events
from textual.binding import Binding
from textual.widgets import TextArea

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import read_settings
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Mark, Preference
from rlft_tui.paths import Workspace
from rlft_tui.tui import server_link
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.label_keys import LABEL_BINDINGS, LAYOUTS, MODES, in_layout
from rlft_tui.tui.list_pane import ListPane
from rlft_tui.tui.screens.answer_editor import AnswerEditor
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.screens.history import HistoryScreen
from rlft_tui.tui.screens.label import LabelScreen
from rlft_tui.tui.widgets.terminal_pace import pace_of
from tests.conftest import add_pairs
from tests.tui.test_label_screen import judging, session_of
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


def set_up(workspace: Workspace, *lines: str) -> None:
    """Put settings before those of the fixture."""
    workspace.settings.write_text("\n".join([*lines, workspace.settings.read_text()]))


async def listed(app: RlftApp, count: int) -> ListPane:
    """Wait until the history is open with so many entries."""
    await until(lambda: isinstance(app.screen, HistoryScreen), "the history", app)
    pane = app.screen.query_one(ListPane)
    await until(lambda: len(pane.lines) == count, f"{count} entries", app)
    return pane


async def back(app: RlftApp) -> None:
    await until(lambda: isinstance(app.screen, LabelScreen), "the label screen", app)


@pytest.mark.parametrize("size", SIZES)
def test_one_key_is_winner_and_strength(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    add_pairs(client, 10)

    async def test() -> None:
        async with workbench(workspace, "label", size) as (app, pilot):
            pair = await judging(app)
            await pilot.press("m")
            await shows(app, "5 tie", "negl")
            expected = {}
            sides = [("left", 4), ("left", 3), ("left", 2), ("left", 1), ("tie", None)]
            sides += [("right", 1), ("right", 2), ("right", 3), ("right", 4)]
            for key, (side, strength) in enumerate(sides, 1):
                current = session_of(app).current
                assert current is not None
                expected[pair] = (current.choice(side), strength)  # type: ignore[arg-type]
                await pilot.press(str(key))
                pair = await judging(app, pair)
            stored = {label.example_id: (label.choice, label.strength) for label in client.labels()}
            assert stored == expected

    drive(test)


def test_the_mode_is_kept_and_without_it_digits_past_three_are_no_verdicts(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 4)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press("4", "5", "6", "7", "8", "9")
            await pilot.press("m", "2")
            pair = await judging(app, pair)
        async with workbench(workspace, "label") as (app, pilot):
            assert await judging(app) == pair
            await shows(app, "5 tie")
            await pilot.press("m")
            await until(lambda: "5 tie" not in text_of(app), "the legend to go", app)
            await pilot.press("2")
            await judging(app, pair)
        first, second = client.labels()
        assert (first.strength, second.strength) == (3, None)
        assert first.choice == first.shown_first
        assert second.choice != second.shown_first

    drive(test)
    settings = read_settings(workspace.settings)
    assert settings.strengths_of == {"ada": False}
    assert not settings.asks_strength("ada")
    assert 'labeler = "ada"' in workspace.settings.read_text()


@pytest.mark.parametrize(
    ("key", "quality"), [("plus", "both_good"), ("equals_sign", "both_good"), ("minus", "both_bad")]
)
def test_both_good_and_both_bad_are_ties_that_say_so(
    workspace: Workspace, client: WorkspaceClient, key: str, quality: str
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press(key)
            second = await judging(app, pair)
            await pilot.press("u")
            await judging(app, second)
            await shows(app, f"taken back: {quality.replace('_', ' ')}")
            await pilot.press(key)
            await judging(app, pair)
            (stored,) = client.labels()
            assert (stored.choice, stored.quality, stored.strength) == ("tie", quality, None)

    drive(test)


def test_note_and_confidence_come_back_with_an_undo(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press("c", "4", "n", *"why", "enter", "1")
            second = await judging(app, pair)
            await pilot.press("u")
            await judging(app, second)
            await pilot.press("2")
            await judging(app, pair)
            (stored,) = client.labels()
            assert (stored.confidence, stored.reasoning) == (4, "why")

    drive(test)


def test_an_earlier_verdict_is_revised_from_the_history(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    pairs = add_pairs(client, 5)
    old = Preference(
        new_id(), pairs[2].id, "ada", "b", "b", 2, "was too long", strength=4, created_at=1_700_000_000.0
    )
    client.add_label(old)
    client.add_label(Preference(new_id(), pairs[3].id, "ada", "a", created_at=1_700_000_001.0))

    async def test() -> None:
        async with workbench(workspace, "label", (160, 45)) as (app, pilot):
            waiting = await judging(app)
            await pilot.press("n", *"draft", "enter", "r")
            await listed(app, 2)
            await shows(app, "left significantly better · 2", "was too long")
            await pilot.press("slash", *"LONG")
            await listed(app, 1)
            await pilot.press("enter", "enter")
            await back(app)
            assert await judging(app, waiting) == pairs[2].id
            await shows(app, "you said: left significantly better, confidence 2", "chosen before")
            assert next(label.id for label in client.labels()) == old.id, (
                "it stands until another takes its place"
            )
            await pilot.press("2")
            assert await judging(app, pairs[2].id) == waiting
            assert session_of(app).note == "draft"
            (revised,) = [label for label in client.labels() if label.example_id == pairs[2].id]
            assert (revised.choice, revised.shown_first) == ("a", "b")
            assert (revised.confidence, revised.reasoning) == (2, "was too long")

            await pilot.press("r")
            await listed(app, 3)
            await shows(app, "replaced")
            await pilot.press("enter")
            await back(app)
            assert await judging(app, waiting) == pairs[2].id
            await pilot.press("escape")
            assert await judging(app, pairs[2].id) == waiting
            assert len([label for label in client.labels() if label.example_id == pairs[2].id]) == 1

    drive(test)


def test_a_skipped_pair_is_taken_back_from_the_list(workspace: Workspace, client: WorkspaceClient) -> None:
    pairs = add_pairs(client, 4)
    client.add_label(Mark(new_id(), pairs[0].id, "ada", "skip", "later", created_at=1_700_000_000.0))
    client.add_label(Preference(new_id(), pairs[1].id, "ada", "a", created_at=1_700_000_001.0))

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            waiting = await judging(app)
            await pilot.press("r")
            await listed(app, 2)
            await pilot.press("tab", "tab")
            await listed(app, 1)
            await shows(app, "[skipped]")
            await pilot.press("enter")
            await back(app)
            assert await judging(app, waiting) == pairs[0].id
            await shows(app, "taken back: skipped")
            await pilot.press("1")
            assert await judging(app, pairs[0].id) == waiting
            assert {label.example_id for label in client.labels()} == {pairs[0].id, pairs[1].id}

    drive(test)


def test_x_in_the_history_takes_back_and_the_pair_comes_again(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 1)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            await pilot.press("1")
            await shows(app, "Every pair is labelled")
            await pilot.press("r")
            await listed(app, 1)
            await pilot.press("x")
            await shows(app, "taken back")
            assert client.labels() == ()
            await pilot.press("x", "escape")
            await back(app)
            assert await judging(app) == pair

    drive(test)


def test_what_was_being_written_when_the_connection_was_lost_is_there_again(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 1)
    drafts = workspace.drafts("ada")

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            await pilot.press("w")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor", app)
            for character in "half\u200cway":
                app.post_message(events.Key(character, character))
            await until(lambda: drafts.exists() and "half\u200cway" in drafts.read_text(), "the draft", app)
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            await pilot.press("w")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor", app)
            assert app.screen.query_one(TextArea).text == "half\u200cway"
            await pilot.press("exclamation_mark", "ctrl+s")
            await back(app)
            await shows(app, "better answer written")
        assert [one.text for one in client.better_answers()] == ["half\u200cway!"]
        assert "half" not in drafts.read_text()

    drive(test)


def test_a_better_answer_is_written_kept_as_a_draft_and_stored(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "label", (160, 45)) as (app, pilot):
            pair = await judging(app)
            current = session_of(app).current
            assert current is not None
            await pilot.press("w")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor", app)
            await pilot.press(*"1 q u ", "escape")
            await back(app)
            assert client.labels() == (), "what is typed into the editor is no verdict"
            assert client.better_answers() == ()
            await pilot.press("w")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor", app)
            await pilot.press("ctrl+l", "enter", *"end", "ctrl+s")
            await back(app)
            await shows(app, "better answer written")
            (stored,) = client.better_answers()
            assert (stored.example_id, stored.labeler_id) == (pair, "ada")
            assert stored.text == f"1 q u {current.left_text}\nend"
            await pilot.press("1")
            await judging(app, pair)
            assert "better answer written" not in text_of(app)
            await pilot.press("r")
            await listed(app, 2)
            await pilot.press("down", "enter")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor again", app)
            await pilot.press("escape")

    drive(test)


def test_what_is_pasted_into_the_editor_cannot_reach_the_terminal(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    (pair,) = add_pairs(client, 1)
    client.add_pairs([replace(pair, id="nasty", response_a="\x1b]0;x\x07 a\u202eb", response_b="\x1b[2J c")])

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            if first != "nasty":
                await pilot.press("s")
                assert await judging(app, first) == "nasty"
            await pilot.press("w")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor", app)
            await pilot.press("ctrl+l", "ctrl+r")
            assert not set(text_of(app)) & set("\x1b\x07\u202e")
            await pilot.press("ctrl+s")
            await back(app)
            await shows(app, "better answer written")
            (stored,) = client.better_answers()
            assert not set(stored.text) & set("\x1b\x07\u202e")

    drive(test)


LAYOUT_KEYS = {
    "left-hand": ("s", "d", "t", "q", "w", "a", "s", "t", "d", "f", "e", "r", "5", "b", "z"),
    "right-hand": ("i", "o", "k", "7", "8", "u", "i", "k", "o", "p", "9", "0", "plus", "minus", "backspace"),
}


@pytest.mark.parametrize("layout", LAYOUT_KEYS)
def test_one_hand_is_enough(workspace: Workspace, client: WorkspaceClient, layout: str) -> None:
    add_pairs(client, 16)
    set_up(workspace, f'layout = "{layout}"')
    keys = LAYOUT_KEYS[layout]

    async def test() -> None:
        async with workbench(workspace, "label", (160, 45)) as (app, pilot):
            await until(lambda: app.keys, "the key map", app)
            pair = await judging(app)
            wanted = []
            for place, key in zip(("left", "right", "tie"), keys[:3], strict=True):
                wanted.append((place, None, ""))
                await pilot.press(key)
                pair = await judging(app, pair)
            await pilot.press({"left-hand": "ctrl+t", "right-hand": "ctrl+k"}[layout])
            await shows(app, f"{keys[7]} tie")
            places = [("left", 4), ("left", 3), ("left", 2), ("left", 1), ("tie", None)]
            places += [("right", 1), ("right", 2), ("right", 3), ("right", 4)]
            for (place, strength), key in zip(places, keys[3:12], strict=True):
                wanted.append((place, strength, ""))
                await pilot.press(key)
                pair = await judging(app, pair)
            for quality, key in zip(("both_good", "both_bad"), keys[12:14], strict=True):
                wanted.append(("tie", None, quality))
                await pilot.press(key)
                pair = await judging(app, pair)
            stored = [
                (
                    "tie" if one.choice == "tie" else "left" if one.choice == one.shown_first else "right",
                    one.strength,
                    one.quality,
                )
                for one in client.labels()
            ]
            assert stored == wanted
            await pilot.press(keys[14])
            await judging(app, pair)
            assert len(client.labels()) == len(wanted) - 1

    drive(test)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", ["plain", "graded"])
def test_no_key_of_a_layout_has_two_meanings(layout: str, mode: str) -> None:
    screen = [*WorkbenchScreen.BINDINGS, *in_layout(LABEL_BINDINGS, layout)]
    keys: dict[str, set[str]] = {}
    for binding in Binding.make_bindings(screen):
        assert binding.id is not None
        if MODES.get(binding.id, mode) == mode:
            keys.setdefault(binding.key, set()).add(binding.id)
    assert {key: names for key, names in keys.items() if len(names) > 1} == {}
    assert set(LAYOUTS[layout]) <= {name for names in keys.values() for name in names} | set(MODES)


def test_a_key_of_ones_own_goes_before_the_layout(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 3)
    set_up(workspace, 'layout = "left-hand"')
    with workspace.settings.open("a") as settings:
        settings.write('[keymap]\n"label.second" = "v"\n"label.zoom" = "2"\n"label.confidence" = "d"\n')

    async def test() -> None:
        async with workbench(workspace, "label", (160, 45)) as (app, pilot):
            await until(lambda: app.keys, "the key map", app)
            pair = await judging(app)
            await pilot.press("v")
            await judging(app, pair)
            (stored,) = client.labels()
            assert stored.choice != stored.shown_first

    drive(test)


def test_a_remapped_verdict_keeps_the_strengths_that_share_its_key(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 4)
    set_up(workspace, "strengths = true")
    with workspace.settings.open("a") as settings:
        settings.write('[keymap]\n"label.first" = "1,Y"\n')

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await until(lambda: app.keys, "the key map", app)
            assert "already the key" not in text_of(app)
            pair = await judging(app)
            await pilot.press("1")
            pair = await judging(app, pair)
            await pilot.press("m", "1")
            pair = await judging(app, pair)
            await pilot.press("Y")
            await judging(app, pair)
            assert [label.strength for label in client.labels()] == [4, None, None]

    drive(test)


def test_settings_that_cannot_be_written_change_this_session_only(
    workspace: Workspace, client: WorkspaceClient, tmp_path: Path
) -> None:
    add_pairs(client, 1)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            await asyncio.to_thread(workspace.settings.rename, tmp_path / "elsewhere.toml")
            await pilot.press("m")
            notice = "the setting strengths_of was not kept"
            await until(lambda: any(notice in told.message for told in app._notifications), notice, app)
            assert app.settings.asks_strength("ada")
            await shows(app, "5 tie")
            await asyncio.to_thread((tmp_path / "elsewhere.toml").rename, workspace.settings)

    drive(test)


@pytest.mark.parametrize("text", ["c4", "nskip 1 2 3\r", "g", "rx", "w123uqs"])
def test_keys_that_arrive_in_one_piece_mean_what_they_would_one_by_one(
    workspace: Workspace, client: WorkspaceClient, text: str
) -> None:
    """Over a slow line keys come together: none of these may become a verdict, skip or undo."""
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pair = await judging(app)
            for character in text:
                key = "enter" if character == "\r" else "space" if character == " " else character
                app.post_message(events.Key(key, character))
            await pilot.pause()
            await until(lambda: app._message_queue.empty() and app.screen._message_queue.empty(), "rest", app)
            if isinstance(app.screen, LabelScreen):
                await pilot.press("escape")
                session = session_of(app)
                assert session.current is not None
                assert session.current.pair.id == pair
                assert session.confidence == (4 if text == "c4" else None)
                assert session.note == ("skip 1 2 3" if text[0] == "n" else "")
            assert client.history("ada") == ()

    drive(test)


def test_over_a_slow_link_a_key_counts_once_the_terminal_has_read_the_pair(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            session, pace = session_of(app), pace_of(app)
            pace._round_trip, pace._asked = 0.5, True
            await pilot.press("1")
            await until(lambda: len(client.labels()) == 1 and session.phase == "painting", "the next", app)
            await pilot.pause()
            await pilot.press("2", "3")
            assert session.phase == "painting"
            assert [label.example_id for label in client.labels()] == [first]
            app.on_cursor_position()
            second = await judging(app, first)
            await pilot.press("2")
            await until(lambda: len(client.labels()) == 2, "its verdict", app)
            assert client.labels()[1].example_id == second

    drive(test)


def test_u_pressed_many_times_in_one_go_takes_back_as_many(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 6)

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            pairs = []
            for _ in range(5):
                pairs.append(await judging(app, pairs[-1] if pairs else ""))
                await pilot.press("1")
            await until(lambda: len(client.labels()) == 5, "five verdicts", app)
            await pilot.press(*"uuu")
            await until(lambda: len(client.labels()) == 2, "three taken back", app)
            assert await judging(app) == pairs[2]
            await pilot.press("1", "u")
            await until(lambda: len(client.history("ada")) == 6, "the verdict", app)
            await until(lambda: len(client.labels()) == 2, "and its undo", app)
            assert await judging(app) == pairs[2]
            await pilot.press(*"uuuuu")
            await shows(app, "nothing to take back")
            assert client.labels() == ()
            assert await judging(app) == pairs[0]

    drive(test)


def test_u_takes_a_written_answer_back_and_keeps_its_text(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 3)

    async def test() -> None:
        async with workbench(workspace, "label", (160, 45)) as (app, pilot):
            first = await judging(app)
            await pilot.press("1")
            second = await judging(app, first)
            await pilot.press("w")
            await until(lambda: isinstance(app.screen, AnswerEditor), "the editor", app)
            await pilot.press(*"mine", "ctrl+s")
            await back(app)
            await until(lambda: len(client.better_answers()) == 1, "the answer", app)
            await pilot.press("u")
            await until(lambda: client.better_answers() == (), "the answer taken back", app)
            assert (await judging(app), len(client.labels())) == (second, 1)
            await pilot.press("w")
            await shows(app, "mine")
            await pilot.press("escape")
            await back(app)
            await pilot.press("u")
            await until(lambda: client.labels() == (), "the verdict taken back", app)
            assert await judging(app, second) == first

    drive(test)


def test_the_history_shows_the_prompts_in_a_narrow_terminal(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2, prefix="a-name-of-some-length")

    async def test() -> None:
        async with workbench(workspace, "label", (80, 24)) as (app, pilot):
            first = await judging(app)
            await pilot.press("1")
            await judging(app, first)
            await pilot.press("r")
            await listed(app, 1)
            await shows(app, "of a-name-of-some-length?")
            await pilot.press("x")
            await shows(app, "taken back: left better")

    drive(test)


def test_a_server_that_is_stopped_is_told_of_and_the_verdict_is_stored_when_it_goes_on(
    workspace: Workspace, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_link, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(server_link, "PING_SECONDS", 0.2)
    add_pairs(client, 3)
    server = client.health().pid

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            os.kill(server, signal.SIGSTOP)
            try:
                await pilot.press("1")
                await shows(app, "the server does not answer")
            finally:
                os.kill(server, signal.SIGCONT)
            await judging(app, first)
            await until(lambda: "does not answer" not in text_of(app), "the notice to go", app)
            assert [one.example_id for one in client.labels()] == [first]

    drive(test)
