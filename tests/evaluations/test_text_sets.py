"""Sets of texts side by side."""

from __future__ import annotations

import math

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.text_sets import Figure, Measured, TextRow, TextSet, measure, same_size


def figure(measured: Measured, name: str) -> Figure:
    return next(one for one in measured.figures if one.name == name)


def row(prompt: str, text: str, reward: float = 0.0, **more: object) -> TextRow:
    return TextRow(prompt, text, reward, **more)  # type: ignore[arg-type]


def test_sets_are_brought_to_the_same_prompts_and_counts() -> None:
    base = TextSet("base", tuple(row(p, f"{p} {n}") for p in "abc" for n in range(4)))
    tuned = TextSet("tuned", tuple(row(p, f"{p} {n}") for p in "cab" for n in range(2 + (p == "a"))))
    other = TextSet("other", tuple(row(p, f"{p} {n}") for p in "ab" for n in range(9)))
    kept = same_size([base, tuned, other])
    assert [len(one.rows) for one in kept] == [5, 5, 5]
    assert {each.prompt for one in kept for each in one.rows} == {"a", "b"}
    with pytest.raises(RlftError, match="no prompt in common"):
        same_size([base, TextSet("stranger", (row("z", "z"),))])


def test_compliance_is_the_share_that_keeps_every_constraint() -> None:
    rows = tuple(row("p", f"text {n}", constraints={"short": n < 3, "kind": n != 1}) for n in range(4))
    (measured,) = measure([TextSet("one", rows)])
    whole = figure(measured, "compliance").estimate
    assert whole.value == 0.5
    assert whole.low is not None
    assert whole.high is not None
    assert 0 < whole.low < 0.5 < whole.high < 1
    assert figure(measured, "short").estimate.value == 0.75


def test_a_change_is_taken_prompt_by_prompt() -> None:
    base = TextSet(
        "base",
        tuple(
            row(p, f"{p}{n}", reward)
            for p, reward in zip("abcd", (0, 1, 2, 3), strict=True)
            for n in range(3)
        ),
    )
    better = TextSet(
        "better", tuple(row(each.prompt, each.text, (each.reward or 0.0) + 0.5) for each in base.rows)
    )
    first, second = measure([base, better])
    assert figure(first, "reward").change.value is None
    change = figure(second, "reward").change
    # The prompts differ far more than the change: prompt by prompt it is certain.
    assert (change.value, change.low, change.high, change.n) == (0.5, 0.5, 0.5, 4)
    assert figure(second, "reward").estimate.value == pytest.approx(2.0)


def test_texts_that_all_say_the_same_show_in_every_measure_of_diversity() -> None:
    same = TextSet("same", tuple(row("p", "the nurse was kind and calm") for _ in range(6)))
    varied = TextSet("varied", tuple(row("p", f"w{n} x{n} y{n} z{n} u{n}") for n in range(6)))
    first, second = measure([varied, same])
    assert figure(first, "distinct-2").estimate.value == 1.0
    assert figure(second, "distinct-2").estimate.value == pytest.approx(1 / 6)
    assert figure(second, "different texts").estimate.value == pytest.approx(1 / 6)
    assert figure(second, "self-BLEU").estimate.value == pytest.approx(1.0)
    assert (figure(first, "self-BLEU").estimate.value or 0.0) < 0.2


def test_perplexity_weighs_tokens_alike() -> None:
    rows = (row("p", "a", nats=2.0, tokens=1), row("p", "b", nats=8.0, tokens=9), row("p", "", nats=0.0))
    (measured,) = measure([TextSet("one", rows)])
    assert figure(measured, "perplexity").estimate.value == pytest.approx(math.exp(10 / 10))


def test_what_is_not_known_is_left_out() -> None:
    (measured,) = measure([TextSet("one", (TextRow("p", "a b"), TextRow("p", "c d")))])
    assert {one.name for one in measured.figures} == {
        "distinct-1",
        "distinct-2",
        "different texts",
        "self-BLEU",
        "words",
    }
