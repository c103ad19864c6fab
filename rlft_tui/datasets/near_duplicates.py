"""Texts that are nearly the same: Jaccard similarity of word trigrams, found by prefix filtering.

Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search": two sets of similarity t
share one of the (1 - t)|x| + 1 rarest elements of each, so only those have to be looked up.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

SIMILAR = 0.7
"""Share of trigrams in common from which on a prompt gives another away: of 20 words, two at an end."""
_WORDS = 3


def near_duplicates(
    texts: Iterable[str], others: Iterable[str], *, similar: float = SIMILAR
) -> list[tuple[str, str]]:
    """Each of ``texts`` that is nearly one of ``others``, with the most similar of them; sorted."""
    known = [(text, _shingles(text)) for text in sorted(others)]
    asked = [(text, _shingles(text)) for text in sorted(texts)]
    counts = Counter(shingle for _, found in (*known, *asked) for shingle in found)
    index: defaultdict[str, list[int]] = defaultdict(list)
    for place, (_, found) in enumerate(known):
        for shingle in _rarest(found, counts, similar):
            index[shingle].append(place)
    pairs = []
    for text, found in asked:
        places = {place for shingle in _rarest(found, counts, similar) for place in index.get(shingle, ())}
        best = max(((_jaccard(found, known[place][1]), -place) for place in places), default=(0.0, 0))
        if best[0] >= similar:
            pairs.append((text, known[-best[1]][0]))
    return pairs


def _shingles(text: str) -> frozenset[str]:
    """Runs of three words; a shorter text is one run."""
    words = text.split()
    last = max(1, len(words) - _WORDS + 1)
    return frozenset(" ".join(words[place : place + _WORDS]) for place in range(last))


def _rarest(found: frozenset[str], counts: Counter[str], similar: float) -> list[str]:
    kept = len(found) - math.ceil(similar * len(found)) + 1
    return sorted(found, key=lambda shingle: (counts[shingle], shingle))[:kept]


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
