"""Settings of group relative policy optimisation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rlft_tui.runs.specs.alarms import GrpoAlarms
from rlft_tui.runs.specs.online import OnlineSpec


class GrpoSpec(OnlineSpec):
    """Group relative policy optimisation (Shao et al. 2024)."""

    method: Literal["grpo"] = "grpo"
    beta: float = Field(default=0.0, ge=0.0)
    """Weight of the k3 KL estimate to the reference, nats/token (Shao et al., eq. 4); 0 for none."""
    loss_type: Literal["dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo"] = "dapo"
    """How the tokens' losses are averaged: dapo (Yu et al. 2025) over all tokens of a step, grpo within each
    answer, dr_grpo by a constant (Liu et al. 2025), bnpo over the tokens of a forward pass. Others weight
    what an earlier policy drew in another way: cispo bounds the ratio itself (arXiv 2506.13585), sapo and
    vespo fade it out (2511.20347, 2602.10693), luspo sums over a whole answer (2602.05261)."""
    importance: Literal["token", "sequence"] = "token"
    """What a probability ratio is of: a token, or the answer as a whole (Zheng et al. 2025, with loss_type
    grpo)."""
    clip_high: float = Field(default=0.0, ge=0.0)
    """How far the ratio counts above 1, where it is not as far as below (clip): 0.28 in Yu et al. 2025. For
    cispo the largest ratio itself, about 5. 0 takes clip."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Divide an advantage by the standard deviation of its group, of the batch, or by nothing."""
    alarms: GrpoAlarms = GrpoAlarms()

    @model_validator(mode="after")
    def _loss_fits(self) -> GrpoSpec:
        if self.loss_type == "cispo" and self.clip_high < 1.0:
            raise ValueError("loss_type cispo bounds the ratio by clip_high: set it above 1, such as 5")
        if self.loss_type == "luspo" and self.importance != "sequence":
            raise ValueError('loss_type luspo needs importance = "sequence"')
        return self
