"""Generalised advantage estimation over ragged answers (Schulman et al. 2016, eq. 16).

Tensors are (answers, tokens); ``mask`` is 1 on real tokens, which are a prefix of each row.
"""

from __future__ import annotations

import torch
from torch import Tensor


def per_token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, beta: float) -> Tensor:
    """-beta * KL at every token, and the answer's score (answers,) on its last real token.

    Stiennon et al. 2020, section 3.4; end of sequence is a token like any other.
    """
    rewards = -beta * kl * mask
    last = mask.sum(dim=1).long() - 1
    rows = torch.arange(len(scores), device=scores.device)
    rewards[rows, last.clamp(min=0)] += scores * (last >= 0)
    return rewards


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: float,
    lam: float,
    bootstrap: Tensor | None = None,
) -> Tensor:
    """A_t = sum over l of (gamma lam)^l delta_{t+l}, delta_t = r_t + gamma V_{t+1} - V_t; 0 where masked.

    V after the last real token is 0: an answer that ended, or was cut by the length limit,
    is over. ``bootstrap`` (answers,) puts another value there.
    """
    values = values * mask
    length = mask.sum(dim=1).long()
    after = torch.zeros(len(values), dtype=values.dtype, device=values.device)
    advantages = torch.zeros_like(values)
    running = torch.zeros_like(after)
    for t in range(values.shape[1] - 1, -1, -1):
        following = values[:, t + 1] if t + 1 < values.shape[1] else after
        if bootstrap is not None:
            following = torch.where(length == t + 1, bootstrap, following)
        delta = rewards[:, t] + gamma * following - values[:, t]
        running = (delta + gamma * lam * running) * mask[:, t]
        advantages[:, t] = running
    return advantages


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over real tokens of all rows together: every token weighs the same."""
    return (x * mask).sum() / mask.sum().clamp(min=1)


def masked_variance(x: Tensor, mask: Tensor) -> Tensor:
    """Population variance over real tokens."""
    return masked_mean((x - masked_mean(x, mask)).square(), mask)


def whiten(x: Tensor, mask: Tensor, *, keep_mean: bool = False) -> Tensor:
    """Unit variance over all real tokens, and zero mean unless it is to be kept; 0 where masked."""
    mean = masked_mean(x, mask)
    scaled = (x - mean) * torch.rsqrt(masked_variance(x, mask) + 1e-8)
    return (scaled + mean if keep_mean else scaled) * mask


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(returns - values) / Var(returns): 1 is a perfect critic, 0 one that says a constant."""
    variance = masked_variance(returns, mask)
    if variance <= 0:
        return torch.full_like(variance, torch.nan)
    return 1 - masked_variance(returns - values, mask) / variance
