"""What an update learns from: answers, what they were worth, and what was expected of them.

Everything here is computed once an update, before the policy changes: log-probabilities and
values by the training pass itself, the reference's by the same pass, and from them and the
scores the advantages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rlft_tui.jobs.ppo.advantages import gae, masked_mean, per_token_rewards, whiten
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.kl import Estimator, kl_per_token
from rlft_tui.jobs.ppo.losses import importance_weights
from rlft_tui.jobs.ppo.policy import Policy, Reading
from rlft_tui.jobs.ppo.ranks import ALONE, Ranks


@dataclass(frozen=True, slots=True)
class Readings:
    """The old policy's view of B answers, at most T tokens each; (B, T) float32, 0 behind an answer's end."""

    answers: Sequence[Answer]
    mask: Tensor
    """1 on real tokens."""
    logprobs: Tensor
    reference: Tensor
    values: Tensor
    after: Tensor
    """(B,) value of the state after the last token."""
    entropy: Tensor
    drawn: Tensor | None = None
    """Log-probabilities under what drew the answers, where that was another program."""
    ahead: dict[tuple[int, ...], Reading] = field(default_factory=dict)
    """Passes read with their graph, by places; each is taken out when it is learned from."""

    def kl(self, estimator: Estimator) -> Tensor:
        """(B, T) estimates of KL(policy || reference), nats."""
        return kl_per_token(self.logprobs, self.reference, estimator) * self.mask


@dataclass(frozen=True, slots=True)
class Experience:
    """Readings with what GAE makes of them."""

    readings: Readings
    kl: Tensor
    """(B, T), as it was taken off the rewards and as it is reported."""
    rewards: Tensor
    """(B, T)."""
    advantages: Tensor
    """(B, T), whitened if asked for."""
    returns: Tensor
    """(B, T), advantages before whitening plus values."""
    importance: Tensor | None = None
    """(B, T) weight of each token in the policy's loss, where another program drew it."""

    @property
    def kl_per_sequence(self) -> float:
        """Mean over answers of the summed KL, nats."""
        return float(self.kl.sum(dim=1).mean())

    @property
    def kl_per_token(self) -> float:
        """Mean over all tokens, nats."""
        return float(masked_mean(self.kl, self.readings.mask))


@torch.no_grad()
def read_all(
    policy: Policy,
    answers: Sequence[Answer],
    groups: Iterable[list[int]],
    ranks: Ranks = ALONE,
    *,
    ahead: Sequence[list[int]] = (),
) -> Readings:
    """Policy and reference over all answers, in passes over ``groups`` of their places.

    Each of ``ranks`` reads its own groups, and all have the whole afterwards. The graphs of those that
    are ``ahead`` are kept.

    Which answers share a pass changes how sums are rounded; in bf16 that alone can move a ratio by
    a tenth. Given the passes that will be learned from first, the first ratios are 1 to the last bit.
    """
    width = max(len(answer.response) for answer in answers)
    shape = (len(answers), width)
    mask, logprobs, reference, values, entropy = (torch.zeros(shape, device=policy.device) for _ in range(5))
    after = torch.zeros(len(answers), device=policy.device)
    kept: dict[tuple[int, ...], Reading] = {}
    for group in groups:
        members = [answers[place] for place in group]
        with torch.set_grad_enabled(group in ahead):
            reading = policy.read(members, entropy=True, entropy_learns=False)
        if group in ahead:
            kept[tuple(group)] = reading
        layout = reading.layout
        here = torch.tensor(group, device=policy.device)[:, None], torch.arange(layout.mask.shape[1])
        mask[here] = layout.mask.float()
        logprobs[here] = layout.rows(reading.logprobs.detach())
        values[here] = layout.rows(reading.values.detach())
        reference[here] = layout.rows(policy.reference_logprobs(members))
        assert reading.entropy is not None
        entropy[here] = layout.rows(reading.entropy)
        after[here[0][:, 0]] = reading.after.detach()
    ranks.add((mask, logprobs, reference, values, after, entropy))
    return Readings(answers, mask, logprobs, reference, values, after, entropy, _drawn(answers, mask), kept)


def _drawn(answers: Sequence[Answer], mask: Tensor) -> Tensor | None:
    if not all(answer.drawn for answer in answers):
        return None
    said = [logprob for answer in answers for logprob in answer.drawn]
    return torch.zeros_like(mask).masked_scatter(mask.bool(), torch.tensor(said, device=mask.device))


def make_experience(
    readings: Readings,
    scores: Tensor,
    *,
    beta: float,
    estimator: Estimator,
    gamma: float,
    lam: float,
    whiten_rewards: bool = False,
    whiten_advantages: bool = True,
    bootstrap_truncated: bool = False,
    importance_cap: float = math.inf,
) -> Experience:
    """Rewards, advantages and returns of one update; ``scores`` (B,) as the optimiser is to see them.

    ``bootstrap_truncated`` lets an answer that the length limit cut go on being worth what the
    critic says of its last state; otherwise it is over, like one that ended.
    """
    mask = readings.mask
    kl = readings.kl(estimator)
    rewards = per_token_rewards(scores.to(mask.device), kl, mask, beta)
    if whiten_rewards:
        rewards = whiten(rewards, mask, keep_mean=True)
    cut = torch.tensor([not answer.ended for answer in readings.answers], device=mask.device)
    advantages = gae(
        rewards,
        readings.values,
        mask,
        gamma=gamma,
        lam=lam,
        bootstrap=readings.after * cut if bootstrap_truncated else None,
    )
    returns = advantages + readings.values
    if whiten_advantages:
        advantages = whiten(advantages, mask)
    importance = None
    if readings.drawn is not None:
        importance = importance_weights(readings.logprobs, readings.drawn, cap=importance_cap) * mask
    return Experience(readings, kl, rewards, advantages, returns, importance)
