"""The epochs of one update: the only place where weights change."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.batches import epoch_passes
from rlft_tui.jobs.ppo.experience import Experience
from rlft_tui.jobs.ppo.losses import policy_loss, value_loss
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.ranks import ALONE, Ranks


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """How an update's answers are learned from."""

    epochs: int
    step_answers: int
    """Answers an optimiser step."""
    pass_rows: int
    """Answers at most in a forward and backward pass."""
    pass_tokens: int
    """Tokens at most in a pass, prompts and padding included."""
    clip: float
    dual_clip: float
    clip_value: float
    value_coefficient: float
    entropy_coefficient: float
    max_grad_norm: float
    early_stop_kl: float
    """Mean KL(old || new) of an epoch, nats/token, after which no further epoch is begun; 0 for none."""

    def passes(self, answers: Sequence[Answer], seed: int, update: int, epoch: int) -> list[list[list[int]]]:
        """Places of the answers: those of a pass, the passes of an optimiser step, the steps of an epoch."""
        return epoch_passes(
            [answer.length for answer in answers],
            step=self.step_answers,
            rows=self.pass_rows,
            tokens=self.pass_tokens,
            seed=seed,
            update=update,
            epoch=epoch,
        )


@dataclass(slots=True)
class Passed:
    """Sums over passes, token by token."""

    tokens: int = 0
    """Response tokens, each counted once an epoch."""
    pass_tokens: int = 0
    """Tokens that went through the trunk, prompts and padding included, each shared one once a pass."""
    sums: defaultdict[str, float] = field(default_factory=partial(defaultdict, float))
    ratio_min: float = math.inf
    ratio_max: float = -math.inf
    ratio_error: float = 0.0
    """Largest |ratio - 1|."""
    finite: bool = True
    """Whether every loss was."""

    def take(self, other: Passed) -> None:
        """Add what other passes found."""
        self.tokens += other.tokens
        self.pass_tokens += other.pass_tokens
        self.ratio_min = min(self.ratio_min, other.ratio_min)
        self.ratio_max = max(self.ratio_max, other.ratio_max)
        self.ratio_error = max(other.ratio_error, self.ratio_error)
        self.finite &= other.finite
        for name, value in other.sums.items():
            self.sums[name] += value


@dataclass(slots=True)
class Learned(Passed):
    """Everything an update learned from, and what it did about it."""

    steps: int = 0
    skipped: int = 0
    """Optimiser steps not taken because loss or gradient were not finite."""
    grad_norms: list[float] = field(default_factory=list)
    epochs: int = 0
    epoch_kl: list[float] = field(default_factory=list)
    """Mean KL(old || new) of each epoch, nats/token."""
    first_ratio_error: float = math.nan
    """Largest |ratio - 1| before the first optimiser step: rounding, or a mistake."""

    def mean(self, name: str) -> float:
        """Mean over tokens of policy, value, clipped, value_clipped, approx_kl, ratio, loss."""
        return self.sums[name] / self.tokens if self.tokens else math.nan


def learn(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    experience: Experience,
    settings: LearningSettings,
    *,
    seed: int,
    update: int,
    ranks: Ranks = ALONE,
) -> Learned:
    """PPO epochs over one update's answers, a fresh permutation each (Schulman et al. 2017, algorithm 1).

    Each of ``ranks`` takes its share of a step's passes, and all take the same steps.
    """
    learned = Learned()
    answers = experience.readings.answers
    for epoch in range(settings.epochs):
        tokens, kl = learned.tokens, learned.sums["approx_kl"]
        for groups in settings.passes(answers, seed, update, epoch):
            _step(policy, optimizer, experience, settings, groups, learned, ranks)
        learned.epochs += 1
        learned.epoch_kl.append((learned.sums["approx_kl"] - kl) / max(1, learned.tokens - tokens))
        if settings.early_stop_kl and learned.epoch_kl[-1] > settings.early_stop_kl:
            break
    return learned


def _step(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    experience: Experience,
    settings: LearningSettings,
    groups: list[list[int]],
    learned: Learned,
    ranks: Ranks,
) -> None:
    """One optimiser step: its gradient is the mean over all tokens of its passes, however they are cut."""
    answers = experience.readings.answers
    tokens = sum(len(answers[place].response) for group in groups for place in group)
    optimizer.zero_grad(set_to_none=True)
    mine = Passed()
    for group in ranks.share(groups):
        _backward(policy, experience, settings, group, tokens, mine)
    parameters = list(policy.parameters())
    if ranks.size > 1:
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        ranks.add(parameter.grad for parameter in parameters if parameter.grad is not None)
    found = Passed()
    for part in ranks.gather(mine):
        found.take(part)
    if not learned.tokens:
        learned.first_ratio_error = found.ratio_error
    learned.take(found)
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm))
    if found.finite and math.isfinite(norm):
        optimizer.step()
        learned.steps += 1
    else:
        # Weights that took one NaN never lose it again.
        learned.skipped += 1
    learned.grad_norms.append(norm)
    optimizer.zero_grad(set_to_none=True)


def _backward(
    policy: Policy,
    experience: Experience,
    settings: LearningSettings,
    group: list[int],
    tokens: int,
    passed: Passed,
) -> None:
    """Forward and backward over a few answers, noted in ``passed``."""
    readings = experience.readings
    wants_entropy = settings.entropy_coefficient != 0
    reading = readings.ahead.pop(tuple(group), None)
    if reading is None:
        reading = policy.read([readings.answers[place] for place in group], entropy=wants_entropy)
    layout = reading.layout
    rows = torch.tensor(group, device=policy.device)
    old, old_values, advantages, returns = (
        of_all[rows, : layout.mask.shape[1]][layout.mask]
        for of_all in (readings.logprobs, readings.values, experience.advantages, experience.returns)
    )
    actor = policy_loss(reading.logprobs, old, advantages, clip=settings.clip, dual_clip=settings.dual_clip)
    of_policy = actor.loss
    if experience.importance is not None:
        of_policy = of_policy * experience.importance[rows, : layout.mask.shape[1]][layout.mask]
    critic = value_loss(reading.values, old_values, returns, clip=settings.clip_value)
    loss = of_policy.sum() + settings.value_coefficient * critic.loss.sum()
    if reading.entropy is not None and wants_entropy:
        loss = loss - settings.entropy_coefficient * reading.entropy.sum()
    (loss / tokens).backward()

    passed.tokens += len(layout.targets)
    passed.pass_tokens += layout.tokens
    passed.ratio_min = min(passed.ratio_min, float(actor.ratio.min()))
    passed.ratio_max = max(passed.ratio_max, float(actor.ratio.max()))
    passed.ratio_error = max(float((actor.ratio - 1).abs().max()), passed.ratio_error)
    passed.finite &= bool(loss.isfinite())
    for name, of_tokens in (
        ("policy", of_policy),
        ("value", critic.loss),
        ("clipped", actor.clipped),
        ("value_clipped", critic.clipped),
        ("approx_kl", actor.approx_kl),
        ("ratio", actor.ratio),
    ):
        passed.sums[name] += float(of_tokens.detach().sum())
    passed.sums["loss"] += float(loss.detach())
