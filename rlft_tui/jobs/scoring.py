"""Log-probabilities of whole answers, many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Scored:
    """Prompt and answer as token ids; the answer is what is scored."""

    prompt: list[int]
    answer: list[int]

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.answer)


@torch.no_grad()
def answer_logps(model: Any, items: list[Scored], batch_size: int) -> list[float]:
    """log p(answer | prompt) at temperature 1, summed over its tokens, in nats, in the order given.

    Items of like length share a batch, so little is spent on padding. Logits are
    computed for answer positions only and brought to float32 before the softmax.
    """
    sums = [0.0] * len(items)
    order = sorted(range(len(items)), key=lambda index: items[index].length)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        for index, value in zip(batch, _batch_logps(model, [items[i] for i in batch]), strict=True):
            sums[index] = value
    return sums


def _batch_logps(model: Any, items: list[Scored]) -> list[float]:
    width = max(item.length for item in items)
    answers = max(len(item.answer) for item in items)
    device = model.device
    ids = torch.tensor([[0] * (width - i.length) + i.prompt + i.answer for i in items], device=device)
    mask = torch.tensor([[0] * (width - i.length) + [1] * i.length for i in items], device=device)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        use_cache=False,
        # As a tensor: see Decoding.step.
        logits_to_keep=torch.arange(width - answers - 1, width - 1, device=device),
    ).logits
    targets = ids[:, -answers:]
    sums = []
    for row, target, item in zip(logits, targets, items, strict=True):
        n = len(item.answer)
        scores = row[answers - n :].float()
        picked = scores.gather(1, target[answers - n :, None])[:, 0]
        sums.append(float((picked - scores.logsumexp(dim=-1)).sum()))
    return sums
