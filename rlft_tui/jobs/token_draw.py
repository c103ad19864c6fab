"""Which token comes next: one draw a row, by inverting the cumulative distribution.

A vocabulary has some 50,000 tokens and a batch many rows, so this is done at every step of every
text. Without a nucleus the place of the draw is found in sums of blocks first; a nucleus is looked
for among the likeliest tokens before all are sorted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from rlft_tui.runs.specs.base import Sampling

_BLOCK = 256
"""Tokens whose probabilities are summed first."""
_LIKELIEST = 512
"""Tokens among which a nucleus is looked for first."""


def draw_tokens(logits: Tensor, samplings: Sequence[Sampling], generators: list[random.Random]) -> list[int]:
    """One token a row from logits (rows, vocabulary) in float32; a generator a row gives one number.

    A temperature of 0 takes the likeliest token and no number. Nucleus sampling as Holtzman et al. 2019.
    """
    warm = [index for index, sampling in enumerate(samplings) if sampling.temperature > 0]
    if not warm:
        return [int(token) for token in logits.argmax(dim=-1).tolist()]
    drawn = [0] * len(samplings) if len(warm) == len(samplings) else logits.argmax(dim=-1).tolist()
    points = torch.tensor([generators[i].random() for i in warm], device=logits.device, dtype=torch.float64)
    temperatures = torch.tensor([samplings[i].temperature for i in warm], device=logits.device)
    scaled = (logits if len(warm) == len(samplings) else logits[warm]) / temperatures[:, None]
    top_p = torch.tensor([samplings[i].top_p for i in warm], device=logits.device)
    found = torch.empty(len(warm), dtype=torch.int64, device=logits.device)
    nucleus = top_p < 1
    for chosen, place in ((~nucleus, _of_all), (nucleus, _of_nucleus)):
        if bool(chosen.all()):
            found = place(scaled, points, top_p)
        elif bool(chosen.any()):
            found[chosen] = place(scaled[chosen], points[chosen], top_p[chosen])
    for index, token in zip(warm, found.tolist(), strict=True):
        drawn[index] = int(token)
    return drawn


def _of_all(scaled: Tensor, points: Tensor, top_p: Tensor) -> Tensor:
    """(rows,) tokens drawn from the whole softmax of (rows, vocabulary)."""
    rows, vocabulary = scaled.shape
    weights = (scaled - scaled.amax(dim=-1, keepdim=True)).exp_()
    if spare := -vocabulary % _BLOCK:
        weights = torch.nn.functional.pad(weights, (0, spare))
    blocks = weights.view(rows, -1, _BLOCK)
    sums = blocks.sum(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    target = points[:, None] * sums[:, -1:]
    block = torch.searchsorted(sums, target, right=True).clamp(max=sums.shape[1] - 1)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks[torch.arange(rows, device=scaled.device), block[:, 0]].double().cumsum(dim=-1)
    place = torch.searchsorted(inside, target - before, right=True).clamp(max=_BLOCK - 1)
    return (block * _BLOCK + place)[:, 0].clamp(max=vocabulary - 1)


def _of_nucleus(scaled: Tensor, points: Tensor, top_p: Tensor) -> Tensor:
    """(rows,) tokens drawn from the smallest sets of likeliest tokens that hold ``top_p``."""
    probabilities = scaled.softmax(dim=-1)
    likeliest = min(_LIKELIEST, probabilities.shape[1])
    head, order = probabilities.topk(likeliest, dim=-1)
    found = _in_order(head, order, points, top_p)
    open_ended = head.sum(dim=-1) < top_p
    if likeliest < probabilities.shape[1] and bool(open_ended.any()):
        whole, order = probabilities[open_ended].sort(dim=-1, descending=True, stable=True)
        found[open_ended] = _in_order(whole, order, points[open_ended], top_p[open_ended])
    return found


def _in_order(probabilities: Tensor, order: Tensor, points: Tensor, top_p: Tensor) -> Tensor:
    """The draw from probabilities that fall from left to right; ``order`` tells whose they are."""
    before = probabilities.cumsum(dim=-1) - probabilities
    kept = probabilities.masked_fill(before >= top_p[:, None], 0.0).double().cumsum(dim=-1)
    place = torch.searchsorted(kept, points[:, None] * kept[:, -1:], right=True)
    return order.gather(1, place.clamp(max=probabilities.shape[1] - 1))[:, 0]
