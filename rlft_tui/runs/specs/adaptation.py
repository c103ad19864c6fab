"""Which weights a training run changes, and how the rest is held."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rlft_tui.runs.specs.base import Spec

Adaptation = Literal["lora", "full"]
Quantization = Literal["none", "nf4", "int8"]
Optimizer = Literal[
    "adamw", "adamw_8bit", "paged_adamw_8bit", "paged_adamw", "adafactor", "sgd", "lion", "paged_lion_8bit"
]
Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt"]


class Lora(Spec):
    """Low-rank adapters (Hu et al. 2021)."""

    r: int = Field(default=16, ge=1, le=512)
    """Rank."""
    alpha: int = Field(default=32, ge=1)
    """Scale: the update is multiplied by alpha / r; by alpha / sqrt(r) with rslora."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Dropout on the adapter's input."""
    kind: Literal["lora", "dora", "rslora"] = "lora"
    """lora; dora learns a magnitude beside each direction (Liu et al. 2024); rslora scales for high ranks
    (Kalajdzievski 2023)."""
    targets: str = "auto"
    """Linear layers that get an adapter, by the last part of their name, commas between: q_proj,v_proj.
    auto takes every linear layer of the model but the head."""

    @field_validator("targets")
    @classmethod
    def _some(cls, targets: str) -> str:
        if not all(name.strip() for name in targets.split(",")):
            raise ValueError("name layers with commas between them, or auto for all")
        return targets
