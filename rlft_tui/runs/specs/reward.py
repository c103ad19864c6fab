"""Settings of a reward model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.training import TrainingSpec


class RewardSpec(TrainingSpec):
    """A reward model: a score in place of the language head, learnt from comparisons (Ouyang et al. 2022,
    eq. 1), or from scored answers by regression."""

    method: Literal["reward"] = "reward"
    margins: bool = True
    """Where the data has strengths, ask for as wide a gap (Touvron et al. 2023, eq. 2)."""
    center_rewards: float = Field(default=0.01, ge=0.0)
    """Weight of the pull of the mean score towards 0 (Eisenstein et al. 2023, eq. 2); 0 for none."""
    learning_rate: float = Field(default=1e-4, gt=0.0, lt=1.0)
    """Peak learning rate. Full fine-tuning wants 10 to 100 times less than LoRA."""
