"""PPO's two losses, token by token (Schulman et al. 2017, eq. 7; clipped values as in its code).

All tensors are (tokens,), real tokens only; the caller sums and divides by the tokens of
the whole optimiser step, so a token weighs the same in whichever pass it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LOG_RATIO_LIMIT = 20.0
"""Beyond e^20 a ratio says only that something broke; exp would soon be infinite."""


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """All (tokens,)."""

    loss: Tensor
    ratio: Tensor
    """new/old probability, without gradient."""
    clipped: Tensor
    """Whether the clip decided, bool."""
    approx_kl: Tensor
    """Estimate k3 of KL(old || new): ratio - 1 - log ratio, nats."""


def policy_loss(
    logprobs: Tensor, old: Tensor, advantages: Tensor, *, clip: float, dual_clip: float = 0.0
) -> PolicyLoss:
    """max(-A ratio, -A clip(ratio, 1 - clip, 1 + clip)).

    ``dual_clip`` c > 1 (Ye et al. 2020) bounds it by -c A where A < 0, so that an answer that
    has become far more likely since it was drawn cannot push without bound; 0 leaves it out.
    """
    log_ratio = (logprobs - old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    ratio = log_ratio.exp()
    free = -advantages * ratio
    held = -advantages * ratio.clamp(1 - clip, 1 + clip)
    loss = torch.maximum(free, held)
    clipped = held > free
    if dual_clip:
        bound = -dual_clip * advantages
        over = (advantages < 0) & (loss > bound)
        loss = torch.where(over, bound, loss)
        clipped = clipped | over
    with torch.no_grad():
        return PolicyLoss(loss, ratio.detach(), clipped, (torch.expm1(log_ratio) - log_ratio).detach())


def importance_weights(old: Tensor, drawn: Tensor, *, cap: float) -> Tensor:
    """min(old/drawn probability, cap), for tokens that another program drew (Espeholt et al. 2018, 4.1).

    It rounds otherwise than the policy, so its tokens come from another distribution; ``policy_loss`` times
    these is that of tokens of the policy's own, but for the cap that keeps a rare token from ruling.
    """
    return (old - drawn).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp().clamp(max=cap)


@dataclass(frozen=True, slots=True)
class ValueLoss:
    """Both (tokens,)."""

    loss: Tensor
    clipped: Tensor
    """Whether the clip decided, bool."""


def value_loss(values: Tensor, old: Tensor, returns: Tensor, *, clip: float) -> ValueLoss:
    """max((V - R)^2, (V clipped to within ``clip`` of the old V - R)^2) / 2; a clip of 0 leaves it out."""
    free = (values - returns).square()
    if not clip:
        return ValueLoss(free / 2, torch.zeros_like(free, dtype=torch.bool))
    held = (torch.clamp(values, old - clip, old + clip) - returns).square()
    return ValueLoss(torch.maximum(free, held) / 2, held > free)
