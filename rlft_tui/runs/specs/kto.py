"""Settings of Kahneman-Tversky optimisation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.alarms import KtoAlarms
from rlft_tui.runs.specs.training import PolicySpec


class KtoSpec(PolicySpec):
    """Kahneman-Tversky optimisation (Ethayarajh et al. 2024) on answers marked good or bad."""

    method: Literal["kto"] = "kto"
    beta: float = Field(default=0.1, gt=0.0)
    """Strength of the pull towards the reference (Ethayarajh et al., eq. 8)."""
    loss_type: Literal["kto", "apo_zero_unpaired"] = "kto"
    """kto, or apo_zero_unpaired (D'Oosterlinck et al. 2024), which needs no KL estimate."""
    desirable_weight: float = Field(default=1.0, gt=0.0)
    """Weight of good answers; with the other it should balance their numbers within 1 to 4/3."""
    undesirable_weight: float = Field(default=1.0, gt=0.0)
    """Weight of bad answers."""
    precompute_reference: Literal["auto", "on", "off"] = "auto"
    """Compute the reference's log-probabilities once before training; auto when rows come up over 3 times."""
    alarms: KtoAlarms = KtoAlarms()
