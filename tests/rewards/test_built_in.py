"""The built-in rewards: worked by hand, and what holds of them for every text."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.rewards.built_in import BUILT_IN, build, describe, options_of
from rlft_tui.rewards.exact_answer import as_number, is_right
from rlft_tui.rewards.repetition import repeated_share
from rlft_tui.rewards.reward_function import words

TEXTS = st.text(max_size=300)
READY: dict[str, dict[str, Any]] = {name: {} for name in BUILT_IN} | {"regex": {"pattern": "a+"}}


def score(name: str, text: str, **options: Any) -> float | None:
    """What one completion earns, as a conversation."""
    (reward,) = build(name, options)(
        prompts=[[{"role": "user", "content": "Say it."}]],
        completions=[[{"role": "assistant", "content": text}]],
        completion_ids=[[1, 2, 3]],
        answer=["42"],
    )
    return reward


@pytest.mark.parametrize(
    ("words_of_it", "reward"), [(0, 0.0), (1, 0.25), (4, 1.0), (10, 1.0), (15, 0.5), (20, 0.0), (90, 0.0)]
)
def test_length_falls_off_on_both_sides(words_of_it: int, reward: float) -> None:
    assert score("length", "word " * words_of_it, minimum=4, maximum=10) == pytest.approx(reward)


def test_length_counts_what_it_is_told_to() -> None:
    assert score("length", "four", minimum=4, maximum=4, unit="characters") == 1.0
    assert score("length", "four", minimum=3, maximum=3, unit="tokens") == 1.0


def test_a_word_may_have_a_hyphen_or_an_apostrophe_in_it() -> None:
    assert words("The well-known nurse doesn’t “rush” — ever, 24/7.") == [
        *("the", "well-known", "nurse", "doesn't", "rush", "ever", "24", "7"),
    ]


def test_regex_searches_or_matches_the_whole() -> None:
    assert score("regex", "room 101", pattern=r"\d+") == 1.0
    assert score("regex", "room", pattern=r"\d+") == 0.0
    assert score("regex", "room 101", pattern=r"\d+", match="full") == 0.0
    assert score("regex", "room", pattern=r"\d+", absent=True) == 1.0


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("think", "<think>6 × 7</think>\n42", "<think>6 × 7</think>"),
        ("think", "<think>a</think> b", "<think>a</think><think>b</think> c"),
        ("think-answer", "<think>a</think>\n<answer>b</answer>", "<think>a</think> so <answer>b</answer>"),
        ("think-answer", "<think></think><answer>b</answer>", "<think>a</think><answer> </answer>"),
        ("json", ' {"a": [1, null]} ', "{'a': 1}"),
        ("code", "So:\n```python\nprint()\n```\nDone.", "```python\nprint()"),
        ("sentence", "The nurse said “yes.”", "The nurse. The end."),
        ("sentence", "It costs 3.50 today!", "it costs"),
    ],
)
def test_format(form: str, good: str, bad: str) -> None:
    assert score("format", good, form=form) == 1.0
    assert score("format", bad, form=form) == 0.0


def test_repetition_by_hand() -> None:
    # 7 words make 5 trigrams, "a b c" among them twice.
    assert score("repetition", "a b c d a b c") == pytest.approx(-1 / 5)
    assert score("repetition", "one two") == 0.0
    assert score("repetition", "no no no no", n=1) == pytest.approx(-3 / 4)


def varieties(*texts: str) -> list[float | None]:
    return list(build("variety", {})(prompts=[""] * len(texts), completions=texts))


def test_variety_by_hand() -> None:
    # Of "a b", "b c" the other text says "b c"; what a text itself says twice is repetition's business.
    assert varieties("a b c", "x b c y") == pytest.approx([-1 / 2, -1 / 3])
    assert varieties("a b a b", "c d") == [0.0, 0.0]
    assert varieties("a b", "A  b!", "one", "") == [-1.0, -1.0, 0.0, 0.0]


@given(st.lists(st.text("ab ", max_size=12), max_size=6), st.randoms(use_true_random=False))
def test_variety_is_the_same_in_any_order_and_falls_with_company(texts: list[str], chance: Random) -> None:
    alone = dict(zip(texts, varieties(*texts), strict=True))
    shuffled = chance.sample(texts, len(texts))
    assert varieties(*shuffled) == [alone[text] for text in shuffled]
    crowded = varieties(*texts, "a b a a b b")[: len(texts)]
    for text, reward in zip(texts, crowded, strict=True):
        assert reward is not None
        assert -1.0 <= reward <= (alone[text] or 0.0)


@pytest.mark.parametrize(
    ("text", "reference", "right"),
    [
        ("She has 3 apples left, so she sold 1,250.", "1250", True),
        ("Thus 18 - 3 = 15.\n#### 15", "Natalia sold 48/2 = 24.\n#### 15", True),
        ("It costs $1,000.00.", "1000", True),
        ("The answer is \\boxed{1/2}", "0.5", True),
        ("<answer>−7</answer> and not 9", "-7", True),
        ("First 42, then 43", "42", False),
        ("version 4.2.1", "1", False),
        ("Nothing at all", "42", False),
        ("paris.", "Paris", True),
        ("<answer> Paris </answer>", "paris", True),
        ("It is Paris", "Paris", False),
        ("#### 1" + "0" * 5000, "1", False),
        ("50%", "50", True),
    ],
)
def test_exact_answer(text: str, reference: str, right: bool) -> None:
    assert build("exact-answer", {})([], [text], None, answer=[reference]) == [float(right)]


def test_a_row_without_a_reference_is_not_judged() -> None:
    assert build("exact-answer", {"column": "solution"})([], ["1", "2"], None, solution=[None, "2"]) == [
        None,
        1.0,
    ]


def test_a_data_set_without_references_is_refused() -> None:
    with pytest.raises(RlftError, match="no column 'answer'"):
        build("exact-answer", {})([], ["1"])


@given(st.integers(-(10**12), 10**12))
def test_a_number_is_the_same_however_it_is_written(number: int) -> None:
    assert as_number(f"{number:,}") == as_number(f"${number}.0".replace("$-", "-$")) == number
    assert is_right(f"so the result is {number:,}.", str(number))


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), st.integers(1, 4))
def test_repeated_share_is_a_share(tokens: list[str], n: int) -> None:
    share = repeated_share(tokens, n)
    assert 0.0 <= share < 1.0
    assert repeated_share([f"{place}{token}" for place, token in enumerate(tokens)], n) == 0.0


@pytest.mark.parametrize("name", BUILT_IN)
@given(text=TEXTS)
def test_every_text_gets_a_number_and_always_the_same(name: str, text: str) -> None:
    low, high = {"repetition": (-1.0, 0.0), "variety": (-1.0, 0.0), "occupational": (-0.4, 1.2)}.get(
        name, (0.0, 1.0)
    )
    first = score(name, text, **READY[name])
    assert first is not None
    assert low <= first <= high
    assert math.copysign(1, first) > 0 or first < 0
    assert score(name, text, **READY[name]) == first


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_text_and_a_conversation_are_the_same(name: str) -> None:
    reward = build(name, READY[name])
    text = "The nurse was confident and caring in the emergency room: 42."
    given = reward(prompts=[""], completions=[text], completion_ids=[[1]], answer=["42"])
    assert given == reward(
        prompts=[[]],
        completions=[[{"role": "assistant", "content": text}]],
        completion_ids=[[1]],
        answer=["42"],
    )


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("lenght", {}, "Did you mean length?"),
        ("length", {"minmum": 3}, "unknown option 'minmum'. Did you mean minimum?"),
        ("length", {"minimum": "few"}, "expected `int`"),
        ("length", {"minimum": 9, "maximum": 8}, "no range of lengths"),
        ("regex", {}, "pattern is missing"),
        ("regex", {"pattern": "("}, "is no regular expression"),
        ("format", {"form": "poem"}, "invalid enum value 'poem'"),
        ("repetition", {"n": 0}, "at least one word"),
        ("variety", {"n": 0}, "at least one word"),
    ],
)
def test_a_wrong_option_is_named(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises((RlftError, NotFoundError)) as caught:
        build(name, options)
    assert said in str(caught.value)


def test_every_built_in_says_what_it_does() -> None:
    for name in BUILT_IN:
        assert len(describe(name)) > 20
        assert options_of(name)
