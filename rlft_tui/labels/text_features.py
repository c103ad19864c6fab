"""Answers as small vectors: hashed words and a few plain facts, no model and no download.

Hashed features (Weinberger et al. 2009) of a few hundred dimensions carry enough of what
labellers reward in answers (length, form, refusals, wording) to tell which comparisons
still teach something; they are not meant to replace a reward model.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

HASHED = 192
FACTS = 8
SIZE = HASHED + FACTS
MOST_CHARACTERS = 800
"""Of an answer's beginning; the length is of the whole."""


@lru_cache(maxsize=50_000)
def _place(word: str) -> tuple[int, float]:
    digest = crc32(word.encode("utf-8", "surrogatepass"))
    return digest % HASHED, 1.0 if digest & 0x10000 else -1.0


def answer_features(text: str, length: int) -> NDArray[np.float32]:
    """(SIZE,) of an answer: ``text`` is its beginning, ``length`` its characters in all."""
    words = text[:MOST_CHARACTERS].lower().split()
    counts = Counter(words)
    places, signs = zip(*map(_place, counts), strict=True) if counts else ((), ())
    weights = np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts))) + 1.0
    row = np.zeros(SIZE, dtype=np.float32)
    row[:HASHED] = np.bincount(np.array(places, dtype=np.intp), weights * np.array(signs), minlength=HASHED)
    if size := float(np.linalg.norm(row)):
        row /= size
    per_word = 1.0 / max(len(words), 1)
    row[HASHED:] = (
        math.log1p(length),
        10 * text.count("\n") * per_word,
        10 * text.count("\n- ") * per_word,
        1.0 if "```" in text else 0.0,
        1.0 if "**" in text or "\n#" in text else 0.0,
        1.0 if "sorry" in text[:200].lower() or "cannot" in text[:200].lower() else 0.0,
        min(text.count("?"), 3) / 3,
        10 * sum(map(str.isdigit, words)) * per_word,
    )
    return row
