"""Settings of group relative policy optimisation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.alarms import GrpoAlarms
from rlft_tui.runs.specs.online import OnlineSpec


class GrpoSpec(OnlineSpec):
    """Group relative policy optimisation (Shao et al. 2024)."""

    method: Literal["grpo"] = "grpo"
    beta: float = Field(default=0.0, ge=0.0)
    """Weight of the k3 KL estimate to the reference, nats/token (Shao et al., eq. 4); 0 for none."""
    loss_type: Literal["dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo"] = "dapo"
    """How the tokens' losses are averaged: dapo (Yu et al. 2025) over all tokens of a step, grpo within each
    answer, dr_grpo by a constant (Liu et al. 2025); cispo and sapo clip differently."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Divide an advantage by the standard deviation of its group, of the batch, or by nothing."""
    alarms: GrpoAlarms = GrpoAlarms()
