"""Settings of supervised fine-tuning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.adaptation import Lora, Scheduler
from rlft_tui.runs.specs.training import PolicySpec


class SftSpec(PolicySpec):
    """Supervised fine-tuning on conversations, or on the chosen answers of comparisons."""

    method: Literal["sft"] = "sft"
    assistant_only: bool = True
    """Learn from the assistant's tokens only; off learns from every token, prompts included."""
    packing: bool = False
    """Fill each row of a batch with several conversations up to max_length: fewer pads, faster."""
    loss_type: Literal["nll", "dft"] = "nll"
    """nll is the negative log-likelihood; dft weights each token by its probability (Wu et al. 2025)."""
    learning_rate: float = Field(default=2e-4, gt=0.0, lt=1.0)
    """Peak learning rate. Full fine-tuning wants 10 to 100 times less than LoRA."""
    scheduler: Scheduler = "cosine"
    """How the learning rate goes down after the warm-up."""
    warmup_fraction: float = Field(default=0.03, ge=0.0, lt=1.0)
    """Share of the steps over which the learning rate rises."""
    max_grad_norm: float = Field(default=0.3, gt=0.0)
    """Gradient norm above which gradients are scaled down (Dettmers et al. 2023 take 0.3)."""
    lora: Lora = Lora(dropout=0.05)
