"""Figures of how alike texts are, against the definitions written out."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.evaluations.text_quality import (
    distinct_n,
    distinct_n_without_each,
    self_bleu,
    self_bleu_each,
)

TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=7).map(" ".join), min_size=2, max_size=6)


def bleu(text: list[str], references: list[list[str]]) -> float:
    """BLEU-4 of one text as the papers define it, pair by pair."""
    logs = []
    for n in range(1, 5):
        grams = Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
        if not grams:
            continue
        counts = [Counter(tuple(r[i : i + n]) for i in range(len(r) - n + 1)) for r in references]
        matches = sum(min(times, max(c[gram] for c in counts)) for gram, times in grams.items())
        logs.append(math.log((matches or 0.1) / grams.total()))
    if not logs:
        return 0.0
    nearest = min((len(r) for r in references), key=lambda length: (abs(length - len(text)), length))
    return math.exp(min(0.0, 1 - nearest / len(text)) + sum(logs) / len(logs))


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_self_bleu_is_bleu_against_all_others(texts: list[str]) -> None:
    words = [text.split() for text in texts]
    expected = [bleu(one, words[:at] + words[at + 1 :]) for at, one in enumerate(words)]
    assert self_bleu_each(texts) == pytest.approx(expected, abs=1e-12)
    assert self_bleu(texts) == pytest.approx(sum(expected) / len(expected))


def test_equal_texts_are_wholly_alike_and_strangers_hardly() -> None:
    same = "the nurse was calm and kind"
    assert self_bleu([same, same, same]) == pytest.approx(1.0)
    assert self_bleu(["one two three four five", "six seven eight nine ten"]) < 0.1
    assert self_bleu(["alone"]) == 0.0
    assert self_bleu([]) == 0.0


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(1, 3))
def test_leaving_each_text_out_is_distinct_n_of_the_others(texts: list[str], n: int) -> None:
    expected = [distinct_n(texts[:at] + texts[at + 1 :], n) for at in range(len(texts))]
    assert distinct_n_without_each(texts, n) == pytest.approx(expected)
