"""What all training methods share."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rlft_tui.runs.specs.adaptation import Adaptation, Lora, Optimizer, Quantization, Scheduler
from rlft_tui.runs.specs.alarms import TextAlarms, TrainingAlarms
from rlft_tui.runs.specs.base import MOST_ROWS, MOST_STEPS, ModelSource, RunSpec, Sampling, Spec, Trackers

Backend = Literal["plain", "unsloth"]
NAME_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,79})?$"
"""A name that is a folder's too, or empty."""


class TrainingSpec(RunSpec):
    """A run that changes a model's weights."""

    model: ModelSource
    """What is trained; an adapter here is continued as a new adapter."""
    dataset: str
    """Hash of the data set."""
    adaptation: Adaptation = "lora"
    """lora trains adapters on a frozen base; full trains every weight and leaves a whole model."""
    lora: Lora = Lora()
    quantization: Quantization = "none"
    """How the frozen base is held: nf4 is 4 bits with double quantisation (QLoRA, Dettmers et al. 2023),
    int8 is 8 bits (Dettmers et al. 2022); both need adaptation lora."""
    backend: Backend = "plain"
    """plain is transformers and PEFT; unsloth needs a GPU and the package."""
    optimizer: Optimizer = "adamw"
    """8bit ones hold their state in 8 bits; paged ones move it to main memory when the GPU is full."""
    learning_rate: float = Field(default=5e-5, gt=0.0, lt=1.0)
    """Peak learning rate. Full fine-tuning wants 10 to 100 times less than LoRA."""
    scheduler: Scheduler = "linear"
    """How the learning rate goes down after the warm-up."""
    warmup_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decoupled decay of the trained weights a step, times the learning rate (Loshchilov, Hutter 2019)."""
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    """Gradient norm above which gradients are scaled down."""
    max_steps: int = Field(default=40, ge=0, le=MOST_STEPS)
    """Optimiser steps; 0 goes by epochs."""
    epochs: float = Field(default=1.0, gt=0.0, le=1e6)
    """Passes over the data when max_steps is 0."""
    batch_size: int = Field(default=4, ge=1, le=MOST_ROWS)
    """Rows in one forward pass."""
    gradient_accumulation: int = Field(default=1, ge=1, le=MOST_ROWS)
    """Forward passes an optimiser step."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, a third more time."""
    max_length: int = Field(default=512, ge=16)
    """Tokens of prompt and answer together; longer rows are cut."""
    checkpoint_every: int = Field(default=20, ge=1)
    """Steps between checkpoints."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Older ones are removed."""
    keep_best: str = ""
    """Keep also the checkpoint at which this metric was best, such as heldout/loss with evaluate_every:
    lowest where its name says loss, perplexity, kl or norm, else highest. Empty for none."""
    early_stopping: int = Field(default=0, ge=0, le=1_000_000)
    """Training ends well when keep_best has not improved for so many measures in a row; 0 never ends it."""
    use_best: bool = False
    """The result is the checkpoint at which keep_best was best, not the last step; a new best is saved at
    once."""
    evaluate: bool = True
    """Measure on the held-out rows before and after."""
    evaluate_every: int = Field(default=0, ge=0)
    """Steps between measures on the held-out rows on the way; 0 for none."""
    alarms: TrainingAlarms = TrainingAlarms()
    trackers: Trackers = ()
    """Where the metrics go besides the run folder: tensorboard, wandb, trackio; none by default. Each is a
    package of its own: pip install 'rlft_tui[trackers]'."""
    output_name: str = Field(default="", pattern=NAME_PATTERN)
    """Name of the result in the registry; empty for the run's own id."""
    parent: str = ""
    """Id of the run this one was cloned from."""

    def rows_a_step(self) -> float:
        """Rows that one optimiser step learns from."""
        return self.batch_size * self.gradient_accumulation

    def passes(self, rows: int) -> float:
        """How often each of so many rows comes up."""
        return self.max_steps * self.rows_a_step() / rows if self.max_steps else self.epochs

    def precomputes(self, rows: int) -> bool:
        """Whether the reference's log-probabilities are computed once for all rows before training.

        Along with each batch costs one more forward pass a visit; beforehand, one a row, and no
        memory for a second model. Only methods with precompute_reference do either.
        """
        wanted = getattr(self, "precompute_reference", "off")
        return bool(wanted == "on" or (wanted == "auto" and self.passes(rows) > 3))

    @model_validator(mode="after")
    def _measures_to_go_by(self) -> Self:
        if (self.early_stopping or self.use_best) and not (self.keep_best and self.evaluate_every):
            raise ValueError("early_stopping and use_best go by keep_best, each evaluate_every steps")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.quantization != "none" and self.adaptation == "full":
            raise ValueError("quantization: a quantised base is frozen, so adaptation must be lora")
        return self


class RoundPart(Spec):
    """The blind comparison that follows a run (server/rounds.py)."""

    pairs: int = Field(default=20, ge=0, le=10_000)
    """When the run has ended, the result and what it would replace answer so many prompts that it was not
    trained on, and the pairs wait on the label screen; 0 for none. A run that does not say takes round_pairs
    of rlft.toml, where that is set."""
    temperature: float = Field(default=0.7, ge=0.0, le=5.0)
    """Of both answers of a pair."""
    max_new_tokens: int = Field(default=128, ge=1, le=8192)
    """Tokens of such an answer at most."""


class PolicySpec(TrainingSpec):
    """A training run whose result writes text."""

    alarms: TextAlarms = TextAlarms()
    policy: str = Field(default="", pattern=NAME_PATTERN)
    """Name of the policy of which the result becomes a version: models/NAME/vN, N the rows of its data, with
    weights that plain transformers loads. Empty for none."""
    evaluate_suite: str = ""
    """Suite (rlft eval suites) that the model is measured on before, after, and each evaluate_every steps:
    curves named eval/SUITE/TASK/METRIC. Empty for none."""
    evaluate_items: int = Field(default=0, ge=0, le=MOST_ROWS)
    """Only the first so many items of each of its tasks; 0 for all."""
    sample_every: int = Field(default=10, ge=0)
    """Steps between generations on the fixed prompts; 0 for none."""
    sample_prompts: int = Field(default=4, ge=1, le=64)
    """How many held-out prompts are answered each time."""
    sampling: Sampling = Sampling(temperature=0.7, max_new_tokens=64)
    round: RoundPart = RoundPart()
