"""Settings of REINFORCE leave-one-out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.alarms import RlooAlarms
from rlft_tui.runs.specs.online import OnlineSpec


class RlooSpec(OnlineSpec):
    """REINFORCE leave-one-out (Ahmadian et al. 2024)."""

    method: Literal["rloo"] = "rloo"
    beta: float = Field(default=0.05, ge=0.0)
    """Weight of the k1 KL estimate taken off each answer's reward, nats/sequence (Ahmadian et al., eq. 1)."""
    normalize_advantages: bool = False
    """Bring the advantages of a step to mean 0 and variance 1."""
    reward_clip: float = Field(default=0.0, ge=0.0)
    """Bound on the absolute value of an answer's reward, before the KL is taken off; 0 for none."""
    alarms: RlooAlarms = RlooAlarms()
