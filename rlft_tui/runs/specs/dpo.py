"""Settings of direct preference optimisation."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rlft_tui.runs.specs.alarms import DpoAlarms
from rlft_tui.runs.specs.training import PolicySpec

DpoLoss = Literal[
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
]


class DpoSpec(PolicySpec):
    """Direct preference optimisation (Rafailov et al. 2023) on comparisons."""

    method: Literal["dpo"] = "dpo"
    beta: float = Field(default=0.1, gt=0.0)
    """Strength of the pull towards the reference (Rafailov et al., eq. 7)."""
    loss_type: DpoLoss = "sigmoid"
    """sigmoid is Rafailov et al., eq. 7; ipo Azar et al. 2023; hinge Zhao et al. 2023; robust Chowdhury et
    al. 2024; exo_pair Ji et al. 2024; nca_pair Chen et al. 2024; bco_pair Jung et al. 2024; sppo_hard Wu et
    al. 2024; aot Melnyk et al. 2024; apo_zero, apo_down D'Oosterlinck et al. 2024;
    discopop Lu et al. 2024."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5)
    """Share of verdicts taken to be wrong; read by sigmoid, robust and exo_pair."""
    sft_weight: float = Field(default=0.0, ge=0.0)
    """Weight of an added loss that makes the chosen answer likelier (Pang et al. 2024, eq. 1); 0 for none."""
    precompute_reference: Literal["auto", "on", "off"] = "auto"
    """Compute the reference's log-probabilities once before training; auto when rows come up over 3 times.
    Full fine-tuning then holds no second model, and measures no KL of its samples."""
    alarms: DpoAlarms = DpoAlarms()

    @model_validator(mode="after")
    def _smoothed(self) -> Self:
        if self.loss_type == "exo_pair" and not self.label_smoothing:
            raise ValueError("label_smoothing: exo_pair needs it above 0 (Ji et al. take 0.001)")
        return self
