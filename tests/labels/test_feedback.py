"""Scores: what may be one, and when they teach nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.errors import RlftError
from rlft_tui.labels.feedback import GUIDE, Feedback, check_feedback, guide_word, variation_warning
from rlft_tui.labels.operation_codec import journalled_from, plain_values


@settings(deadline=None)
@given(st.floats(0, 1), st.text(min_size=1).filter(str.strip), st.text())
def test_a_score_is_read_back_from_the_journal(score: float, text: str, notes: str) -> None:
    one = Feedback("id", text, text, score, "score", "ada", "pair", "m", "run", notes, 2.5)
    assert journalled_from(plain_values(one)) == one


@pytest.mark.parametrize(
    ("score", "kind"),
    [(-0.1, "score"), (1.1, "score"), (float("nan"), "score"), (0.5, "thumb"), (0.3, "likert")],
)
def test_a_score_outside_its_scale_is_refused(score: float, kind: str) -> None:
    with pytest.raises(RlftError):
        check_feedback(Feedback("id", "Why?", "So.", score, kind, "ada"))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.floats(0, 1))
def test_the_guide_has_one_word_for_every_score(score: float) -> None:
    word = guide_word(score)
    low, high = next((low, high) for low, high, name in GUIDE if name == word)
    assert low <= score <= high


def test_the_guide_is_the_one_of_the_training_service() -> None:
    words = [(0.95, "excellent"), (0.9, "excellent"), (0.7, "good"), (0.5, "mediocre"), (0.3, "poor")]
    assert [guide_word(score) for score, _ in words] == [word for _, word in words]
    assert guide_word(0.29) == "very poor"


def test_scores_that_hardly_vary_are_warned_of_once_there_are_some() -> None:
    assert variation_warning([0.7] * 7) == ""
    assert "hardly vary" in variation_warning([0.7] * 8)
    assert "hardly vary" in variation_warning([0.7, 0.71] * 10)
    assert variation_warning([0.2, 0.9] * 5) == ""
