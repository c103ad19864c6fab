"""What is read out of answers."""

from __future__ import annotations

import pytest

from rlft_tui.evaluations.extractors import extract, is_right, number_in
from rlft_tui.evaluations.programs import program_of
from rlft_tui.evaluations.refusal import is_refusal


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has 3 + 4 = 7 apples.\n#### 7", "7"),
        ("#### 1,234", "1234"),
        ("#### -5\nand 9 more words", "-5"),
        ("That makes $1,250.50 in all.", "1250.5"),
        ("The answer is 42.", "42"),
        ("12 eggs, of which 3 broke: 9", "9"),
        ("3.0", "3"),
        ("It costs .5", "0.5"),
        ("x2 is a name, 7 is not", "7"),
        ("no digits here", None),
        ("", None),
        ("#### 99999999999999999999999999999999999999999999", "99999999999999999999999999999999999999999999"),
    ],
)
def test_the_number_behind_the_marks_or_the_last_one(text: str, number: str | None) -> None:
    assert number_in(text) == number


def test_letter_case_white_space_and_a_full_stop_do_not_matter() -> None:
    assert extract("  The  Answer. ", "exact") == extract("the answer", "exact")


def test_a_pattern_takes_its_last_match() -> None:
    assert extract("Answer: A ... Answer: C", "regex", r"Answer: ([A-D])") == "c"
    assert extract("none", "regex", r"Answer: ([A-D])") is None


def test_no_answer_is_never_right() -> None:
    assert not is_right(None, [None], "number")
    assert is_right("the capital is paris", ["paris"], "contains")
    assert not is_right("the capital is paris", [""], "contains")


PROMPT = 'import math\n\ndef add(a, b):\n    """Add."""\n'


@pytest.mark.parametrize(
    "answer",
    [
        "```python\ndef add(a, b):\n    return a + b\n```\nHere ``add`` is used.",
        "def add(a, b):\n    return a + b\n```\nThis adds.",
        "First:\n```\nx = 1\n```\nthen\n```py\ndef add(a, b):\n    return a + b\n```",
        "```python\n    return a + b\n```",
        "def add(a, b):\n    return a + b",
        "```python\ndef add(a, b):\n    return a + b",
    ],
)
def test_a_program_is_found_in_an_answer(answer: str) -> None:
    space: dict[str, object] = {}
    exec(program_of(answer, prompt=PROMPT, entry_point="add", style="chat"), space)
    assert space["add"](2, 3) == 5  # type: ignore[operator]
    assert "math" in space


def test_a_completion_ends_where_other_code_begins() -> None:
    made = program_of(
        "    return a + b\n\nprint(add(1, 2))\n", prompt=PROMPT, entry_point="add", style="completion"
    )
    assert made.endswith("return a + b\n")


def test_refusals_are_told_from_answers() -> None:
    assert is_refusal("I’m sorry, but I can’t help with that.")
    assert not is_refusal("Of course. First take the lid off.")
    assert not is_refusal("")
    assert is_refusal("Das tue ich nicht.", ["tue ich nicht"])
