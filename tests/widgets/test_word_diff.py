"""The word diff: it loses nothing, claims nothing false, and its work is bounded."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.tui.widgets.word_diff import Marks, diff_slices, diff_words, marked_pieces

WORDS = st.sampled_from(["the", "a", "cat", "sat", "mat,", "and.", "ran\n\nagain", "été", "猫", "🙂", "x"])
TEXTS = st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=60).map(" ".join))


def shared_words(text: str, marks: Marks) -> list[str]:
    return " ".join(text[span.start : span.end] for span in marks if span.shared).split()


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_the_spans_cover_each_text_and_share_the_same_words(first: str, second: str) -> None:
    one, two = diff_words(first, second)
    for text, marks in ((first, one), (second, two)):
        assert "".join(text[span.start : span.end] for span in marks) == text
        assert all(before.end == after.start for before, after in pairwise(marks))
        assert all(before.shared != after.shared for before, after in pairwise(marks))
    assert "".join(shared_words(first, one)) == "".join(shared_words(second, two))
    assert sum(s.words for s in one if s.shared) == sum(s.words for s in two if s.shared)


@settings(deadline=None)
@given(TEXTS)
def test_a_text_shares_all_of_itself(text: str) -> None:
    one, two = diff_words(text, text)
    assert one == two
    assert all(span.shared or not span.words for span in one)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=40), st.data())
def test_one_inserted_word_is_the_only_difference(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words)))
    changed = [*words[:place], "inserted", *words[place:]]
    one, two = diff_words(" ".join(words), " ".join(changed))
    assert all(span.shared for span in one)
    assert [" ".join(changed)[s.start : s.end].strip() for s in two if not s.shared] == ["inserted"]


def test_long_texts_are_worked_on_in_many_short_slices() -> None:
    chance = random.Random(5)
    vocabulary = [f"w{n}" for n in range(300)]
    first = [chance.choice(vocabulary) for _ in range(6000)]
    second = [word if chance.random() < 0.7 else chance.choice(vocabulary) for word in first]
    slices = list(diff_slices(" ".join(first), " ".join(second)))
    assert slices[-1] is not None
    assert len(slices) > 10
    shared = sum(span.words for span in slices[-1][0] if span.shared)
    assert shared > 0.6 * 6000


def test_long_shared_stretches_are_folded_between_their_edges() -> None:
    same = " ".join(f"word{n}" for n in range(100))
    one, _ = diff_words(f"Start {same} end.", f"Begin {same} finish.")
    pieces = marked_pieces(f"Start {same} end.", one)
    kinds = [piece.kind for piece in pieces]
    assert kinds == ["changed", "same", "fold", "same", "changed", "same"]
    assert pieces[2].text.strip() == "… 90 words the same …"
    assert pieces[1].text.split() == [f"word{n}" for n in range(5)]
    assert pieces[3].text.split() == [f"word{n}" for n in range(95, 100)]
    whole = marked_pieces(f"Start {same} end.", one, fold=False)
    assert "".join(piece.text for piece in whole) == f"Start {same} end."
