"""How alike many texts are: shares of distinct n-grams, and BLEU of each text against the others.

Words are what blanks separate, as in the samples of a training run. Both figures depend on how many
texts there are, so only sets of one size are compared.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from rlft_tui.samples.repetition import distinct_n

__all__ = ("distinct_n", "distinct_n_without_each", "self_bleu", "self_bleu_each")

_ORDERS = 4
_EPSILON = 0.1
"""Stands for no match at all (Chen and Cherry 2014, method 1)."""
_Grams = Counter[tuple[str, ...]]


def distinct_n_without_each(texts: Sequence[str], n: int = 2) -> list[float]:
    """``distinct_n`` of all texts but the first, all but the second, and so on: for a jackknife."""
    each = [_grams(text.split(), n) for text in texts]
    whole: _Grams = Counter()
    for grams in each:
        whole.update(grams)
    total = whole.total()
    left = []
    for grams in each:
        others = total - grams.total()
        only_here = sum(whole[gram] == times for gram, times in grams.items())
        left.append((len(whole) - only_here) / others if others else 1.0)
    return left


def self_bleu(texts: Sequence[str]) -> float:
    """Mean of ``self_bleu_each``: 1 where every text is said by another, near 0 where none is like another.

    0 for a single text.
    """
    each = self_bleu_each(texts)
    return sum(each) / len(each) if each else 0.0


def self_bleu_each(texts: Sequence[str]) -> list[float]:
    """BLEU-4 (Papineni et al. 2002) of each text with all others as its references (Zhu et al. 2018).

    A text of fewer than four words is measured by the n-grams that it has; one without any word gets 0.
    The time grows with the words, not with the pairs of texts.
    """
    words = [text.split() for text in texts]
    if len(words) < 2:
        return [0.0] * len(words)
    lengths = sorted(len(each) for each in words)
    logs = [0.0] * len(words)
    orders = [0] * len(words)
    for n in range(1, _ORDERS + 1):
        each = [_grams(one, n) for one in words]
        most = _two_most(each)
        for at, grams in enumerate(each):
            if total := grams.total():
                matches = sum(min(times, _elsewhere(most[gram], at)) for gram, times in grams.items())
                logs[at] += math.log((matches or _EPSILON) / total)
                orders[at] += 1
    return [
        math.exp(min(0.0, 1 - _nearest(lengths, len(one)) / len(one)) + log / order) if order else 0.0
        for one, log, order in zip(words, logs, orders, strict=True)
    ]


def _grams(words: Sequence[str], n: int) -> _Grams:
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


_Most = tuple[int, int, int]
"""How often at most in one text, in which, and how often at most in another."""


def _two_most(each: Sequence[_Grams]) -> dict[tuple[str, ...], _Most]:
    most: dict[tuple[str, ...], _Most] = {}
    for at, grams in enumerate(each):
        for gram, times in grams.items():
            first, where, second = most.get(gram, (0, -1, 0))
            if times > first:
                most[gram] = (times, at, first)
            elif times > second:
                most[gram] = (first, where, times)
    return most


def _elsewhere(most: _Most, at: int) -> int:
    first, where, second = most
    return second if where == at else first


def _nearest(lengths: Sequence[int], length: int) -> int:
    """The length nearest to ``length`` among the other texts', the shorter of two; ``lengths`` are sorted."""
    at = bisect_left(lengths, length)
    if at + 1 < len(lengths) and lengths[at + 1] == length:
        return length
    before = lengths[at - 1] if at else None
    after = lengths[at + 1] if at + 1 < len(lengths) else None
    if before is None or after is None:
        return after if before is None else before  # type: ignore[return-value]
    return before if length - before <= after - length else after
