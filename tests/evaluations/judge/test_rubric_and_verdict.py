"""Rubrics as files with a version, and what an answer says: a verdict or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.demo.demo_data import demo_file
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.judge.rubric import filled, find_rubric, parse_rubric, read_rubric, rubric_files
from rlft_tui.evaluations.judge.verdict import OneOrder, combined, parse_verdict, reason_in

BUILT_IN = demo_file("rubrics/helpfulness.md").parent


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A is vague.\nVerdict: A", "A"),
        ("**Verdict: [[B]]**", "B"),
        ("verdict is answer b.", "B"),
        ("Both are fine.\n\nVerdict: Tie.", "tie"),
        ('Reasons.\n"Verdict": "A"', "A"),
        ("Long talk.\n\nB", "B"),
        ("Answer A", "A"),
        ("Verdict: A\nOn second thought.\nVerdict: B", ""),
        ("Verdict: A or B", ""),
        ("A is better in some ways, B in others.", ""),
        ("Verdict: C", ""),
        ("Verdict: Absolutely the second", ""),
        ("", ""),
        ("<html>502 Bad Gateway</html>", ""),
    ],
)
def test_a_verdict_is_read_or_there_is_none(text: str, label: str) -> None:
    assert parse_verdict(text, "pair") == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Fine.\nRating: 4", "4"),
        ("**Rating:** 5/5", "5"),
        ("rating is 3 out of 5", "3"),
        ("Rating: 4.0", "4"),
        ("2", "2"),
        ("Rating: 4.5", ""),
        ("Rating: 7", ""),
        ("Rating: 9/10", ""),
        ("Rating: 3\nRating: 4", ""),
        ("I would give it four.", ""),
    ],
)
def test_a_rating_is_read_or_there_is_none(text: str, label: str) -> None:
    assert parse_verdict(text, "rating") == label


def test_the_reason_is_the_answer_without_its_verdict() -> None:
    assert reason_in("B is wrong about yeast.\n\n**Verdict: A**", "pair") == "B is wrong about yeast."


def test_a_side_wins_only_in_both_orders_or_by_its_mean_probability() -> None:
    both = [OneOrder("a", "A"), OneOrder("b", "B")]
    assert (combined(both, "agree").choice, combined(both, "agree").consistent) == ("a", True)
    first_shown = [
        OneOrder("a", "A", {"A": 0.9, "B": 0.1, "tie": 0.0}),
        OneOrder("b", "A", {"A": 0.6, "B": 0.4, "tie": 0.0}),
    ]
    assert combined(first_shown, "agree").choice == "tie"
    averaged = combined(first_shown, "average")
    assert (averaged.choice, averaged.consistent) == ("a", False)
    assert averaged.chance == pytest.approx((0.9 + 0.4) / 2)


def test_every_shipped_rubric_is_one_and_knows_its_version() -> None:
    names = rubric_files(Path("/nowhere"), BUILT_IN)
    assert set(names) == {"helpfulness", "harmlessness", "brevity"}
    versions = {read_rubric(path).version(mode) for path in names.values() for mode in ("pair", "rating")}  # type: ignore[arg-type]
    assert len(versions) == 6


def test_an_own_rubric_stands_before_a_shipped_one_and_a_change_changes_its_version(tmp_path: Path) -> None:
    own = tmp_path / "rubrics"
    own.mkdir()
    file = own / "helpfulness.md"
    file.write_text("# Mine\nBe kind.")
    first = find_rubric("helpfulness", own, BUILT_IN)
    assert (first.title, first.criteria) == ("Mine", "Be kind.")
    file.write_text("# Mine\nBe kinder.")
    assert find_rubric("helpfulness", own, BUILT_IN).version("pair") != first.version("pair")
    with pytest.raises(NotFoundError, match="Did you mean brevity"):
        find_rubric("brevety", own, BUILT_IN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('criteria = "x"\npair = "{prompt} {answer_a}"', "answer_b"),
        ('criteria = "x"\nrating = "{prompt} {answer} {reply}"', "reply"),
        ('criterion = "x"', "Did you mean criteria"),
        ('title = "x"', "no criteria"),
        ("criteria = 3", "should be a text"),
    ],
)
def test_a_rubric_with_a_mistake_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(RlftError, match=said):
        parse_rubric(text, Path("mine.toml"))


def test_braces_in_an_answer_are_only_text() -> None:
    assert (
        filled("{prompt}|{answer}", {"prompt": "{answer}", "answer": "{x} {prompt}"})
        == "{answer}|{x} {prompt}"
    )
