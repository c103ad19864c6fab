"""How much texts repeat themselves and one another: the first sign that a reward is being hacked."""

from __future__ import annotations

from collections.abc import Sequence


def distinct_n(texts: Sequence[str], n: int = 2) -> float:
    """Different n-grams of words, as a share of all n-grams of all texts (Li et al. 2016, section 5).

    1 when nothing comes twice, and when no text has ``n`` words.
    """
    grams = [gram for text in texts for gram in _grams(text.split(), n)]
    return len(set(grams)) / len(grams) if grams else 1.0


def twin_share(texts: Sequence[str]) -> float:
    """Share of the texts that some other text equals, white space and case aside."""
    plain = [" ".join(text.lower().split()) for text in texts]
    return sum(plain.count(text) > 1 for text in plain) / len(plain) if plain else 0.0


def _grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
