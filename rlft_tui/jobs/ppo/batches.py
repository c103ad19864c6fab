"""Which answers are learned from together.

Every order follows from (seed, what, number) alone, so a resumed run needs no random state
to meet the same prompts and the same mini-batches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from rlft_tui.jobs.decoding import derived_seed


def permutation(n: int, seed: int, *parts: object) -> list[int]:
    """0..n-1 shuffled by a generator of its own for (seed, parts)."""
    order = list(range(n))
    random.Random(derived_seed(seed, *map(str, parts))).shuffle(order)
    return order


def prompts_of_update(prompts: int, batch_size: int, update: int, seed: int) -> list[int]:
    """Places of the prompts of update 0, 1, 2, ...: all of them, reshuffled, again and again."""
    places = range(update * batch_size, (update + 1) * batch_size)
    orders: dict[int, list[int]] = {}
    for turn in {place // prompts for place in places}:
        orders[turn] = permutation(prompts, seed, "prompts", turn)
    return [orders[place // prompts][place % prompts] for place in places]


def optimiser_batches(answers: int, size: int, seed: int, update: int, epoch: int) -> list[list[int]]:
    """A fresh permutation of the answers, cut into optimiser steps of ``size``; the last may be smaller."""
    order = permutation(answers, seed, "epoch", update, epoch)
    return [order[start : start + size] for start in range(0, answers, size)]


def passes(places: Sequence[int], lengths: Sequence[int], *, rows: int, tokens: int) -> Iterator[list[int]]:
    """``places`` cut into forward passes of like length: at most ``rows`` answers and, padding
    included, at most ``tokens`` tokens in each (an answer longer than that goes alone).

    ``lengths`` is indexed by place. Longest first, so that too little memory shows at once.
    """
    group: list[int] = []
    for place in sorted(places, key=lambda place: (-lengths[place], place)):
        if group and (len(group) == rows or (len(group) + 1) * lengths[group[0]] > tokens):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def epoch_passes(
    lengths: Sequence[int], *, step: int, rows: int, tokens: int, seed: int, update: int, epoch: int
) -> list[list[list[int]]]:
    """The passes of each optimiser step of an epoch (see above)."""
    return [
        list(passes(batch, lengths, rows=rows, tokens=tokens))
        for batch in optimiser_batches(len(lengths), step, seed, update, epoch)
    ]
