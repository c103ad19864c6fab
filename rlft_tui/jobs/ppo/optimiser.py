"""Adam with a learning rate for the policy and one for the critic, both functions of the update's number."""

from __future__ import annotations

import math
from typing import Any

import torch

from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.runs.specs.ppo import PpoSpec

ADAM_EPSILON = 1e-5
"""Of OpenAI's PPO, and of every reproduction that matched it (Huang et al. 2022, detail 3)."""


def make_optimizer(policy: Policy, spec: PpoSpec) -> torch.optim.Optimizer:
    """Two groups: what the policy's loss trains, and what only the value loss trains."""
    groups = [
        {"params": policy.policy_parameters(), "lr": spec.learning_rate},
        {"params": policy.value_parameters(), "lr": spec.value_learning_rate},
    ]
    options: dict[str, Any] = {"eps": ADAM_EPSILON, "weight_decay": spec.weight_decay}
    if spec.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=True, **options)
    import bitsandbytes

    optim: Any = bitsandbytes.optim

    kinds = {
        "adamw_8bit": optim.AdamW8bit,
        "paged_adamw": optim.PagedAdamW,
        "paged_adamw_8bit": optim.PagedAdamW8bit,
    }
    return kinds[spec.optimizer](groups, **options)


def learning_rate_factor(spec: PpoSpec, update: int, updates: int) -> float:
    """Share of the peak learning rate in update 0, 1, ... of ``updates``; never 0, so none is wasted."""
    warmup = round(spec.warmup_fraction * updates)
    if update < warmup:
        return (update + 1) / (warmup + 1)
    if spec.scheduler.startswith("constant"):
        return 1.0
    done = (update - warmup) / max(1, updates - warmup)
    return 1.0 - done if spec.scheduler == "linear" else (1.0 + math.cos(math.pi * done)) / 2


def set_learning_rates(optimizer: torch.optim.Optimizer, spec: PpoSpec, update: int, updates: int) -> float:
    """Set both groups for an update; the policy's rate."""
    factor = learning_rate_factor(spec, update, updates)
    for group, peak in zip(
        optimizer.param_groups, (spec.learning_rate, spec.value_learning_rate), strict=True
    ):
        group["lr"] = peak * factor
    return spec.learning_rate * factor
