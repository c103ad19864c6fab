"""Answers in columns without moving the cursor, verdicts by key, and what a conversation asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.cli.answer_columns import AnswerColumns, AnswerLines
from rlft_tui.cli.conversation import COMMANDS, Conversation, help_text
from rlft_tui.cli.key_verdict import LEAVE, SKIP, UNDO, KeyVerdict
from rlft_tui.errors import RlftError
from rlft_tui.tui.comparison_verdict import Decision


def test_a_row_is_printed_once_no_answer_can_change_it() -> None:
    columns = AnswerColumns(["one", "two"], 27)
    assert columns.take(["first wor", ""], [False, False]) == []
    assert columns.take(["first words and", "short"], [False, False]) == []
    rows = columns.take(["first words and more of them", "short"], [False, True])
    assert [row.split("│")[0].strip() for row in rows] == [
        "one",
        "─┼─".join(["─" * 12] * 2),
        "first words",
        "and more of",
    ]
    assert rows[2].endswith("short")
    assert columns.take(["first words and more of them", "short"], [True, True]) == ["them         │"]


@given(st.lists(st.tuples(st.booleans(), st.text("ab \n", max_size=12)), max_size=25))
def test_a_stream_in_columns_prints_what_the_whole_answers_print(pieces: list[tuple[bool, str]]) -> None:
    columns, texts = AnswerColumns(["x", "y"], 23), ["", ""]
    rows: list[str] = []
    for second, piece in pieces:
        texts[second] += piece
        rows += columns.take(texts, [False, False])
    rows += columns.take(texts, [True, True])
    assert rows == AnswerColumns(["x", "y"], 23).take(texts, [True, True])


def test_lines_come_behind_their_letter_as_they_are_whole() -> None:
    lines = AnswerLines("AB")
    assert lines.take(["one\ntw", "x"], [False, False]) == ["A │ one"]
    assert lines.take(["one\ntwo", "x"], [True, False]) == ["A │ two"]
    assert lines.take(["one\ntwo", "xy"], [True, True]) == ["B │ xy"]


def verdict(keys: str, count: int = 2, *, graded: bool = False) -> Decision | str | None:
    taker = KeyVerdict(count, graded)
    said: Decision | str | None = None
    for key in keys:
        said = taker.take(key)
    return said


@pytest.mark.parametrize(
    ("keys", "count", "graded", "expected"),
    [
        ("1", 2, False, Decision(((0,), (1,)))),
        ("3", 2, False, Decision(((0, 1),))),
        ("+", 2, False, Decision(((0, 1),), quality="both_good")),
        ("4", 2, False, None),
        ("1", 2, True, Decision(((0,), (1,)), strength=4)),
        ("6", 2, True, Decision(((1,), (0,)), strength=1)),
        ("5", 2, True, Decision(((0, 1),))),
        ("3=1\r", 4, False, Decision(((2, 0), (1, 3)), open_end=True)),
        ("312\r", 4, False, Decision(((2,), (0,), (1,), (3,)))),
        ("12\x7f3\r", 3, False, Decision(((0,), (2,), (1,)))),
        ("s", 2, False, SKIP),
        ("u", 3, False, UNDO),
        ("\x03", 2, False, LEAVE),
        ("", 2, False, None),
    ],
)
def test_keys_make_a_verdict(keys: str, count: int, graded: bool, expected: Decision | str | None) -> None:
    assert verdict(keys, count, graded=graded) == expected


def test_the_end_of_input_leaves() -> None:
    assert KeyVerdict(2, False).take("") == LEAVE


def test_a_conversation_asks_with_its_turns_settings_and_system_prompt() -> None:
    talk = Conversation("m", settings={"temperature": "0.5", "seed": "3"})
    talk.answered("Hi", "Hello")
    talk.command("/system Be brief.")
    request = talk.request("And?")
    assert [turn["content"] for turn in request.context] == ["Be brief.", "Hi", "Hello"]
    assert (request.sides[0].temperature, request.sides[0].seed) == (0.5, 3)
    assert talk.command("/set temperature 0")[0].startswith("temperature 0.0, top_p 1.0")
    assert talk.command("/again") == ("seed 4", "Hi")
    assert talk.turns == []
    talk.command("/model other")
    talk.command("/system -")
    assert (talk.model, talk.request("x").context) == ("other", ())
    talk.command("/quit")
    assert talk.left


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/dance", "no command /dance"),
        ("/set heat 3", "no setting 'heat 3'"),
        ("/set temperature 9", "temperature: must be"),
        ("/undo", "nothing was asked yet"),
        ("/again", "nothing was asked yet"),
    ],
)
def test_a_command_that_cannot_be_done_is_refused_and_changes_nothing(line: str, words: str) -> None:
    talk = Conversation("m")
    with pytest.raises(RlftError, match=words):
        talk.command(line)
    assert (talk.turns, talk.settings.get("temperature")) == ([], None)


def test_the_help_names_every_command() -> None:
    for name in COMMANDS:
        assert name in help_text()
