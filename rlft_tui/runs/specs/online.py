"""What GRPO and RLOO share: answers drawn while training, and rewards for them."""

from __future__ import annotations

from pydantic import Field, model_validator

from rlft_tui.runs.specs.base import MOST_ROWS, MOST_STEPS
from rlft_tui.runs.specs.rewards import RewardPart, Rewards
from rlft_tui.runs.specs.training import PolicySpec


class OnlineSpec(PolicySpec):
    """A method that answers prompts, has the answers rewarded and learns from that."""

    rewards: Rewards = Field(default_factory=lambda: (RewardPart(source="length"),))
    """What rewards an answer, each with an optional weight: a built-in (length:0.5, rlft rewards list), a
    Python file of the workspace (rewards/mine.py or rewards/mine.py:function:2), or a trained reward model
    (model:NAME). Options of a built-in come last: length:1:minimum=8:maximum=15. The rewards are added."""
    reward_seconds: float = Field(default=600.0, gt=0.0)
    """What one call of a reward function may take, a trained reward model's apart: a function that hangs ends
    the run, which can be resumed from its last checkpoint once the function is put right."""
    generations: int = Field(default=4, ge=2, le=256)
    """Answers to each prompt (the group that an advantage is taken within)."""
    batch_size: int = Field(default=8, ge=1, le=MOST_ROWS)
    """Answers in one forward pass. Times gradient_accumulation it is the answers drawn for a step, which
    has to be a multiple of generations."""
    max_new_tokens: int = Field(default=64, ge=1, le=8192)
    """Tokens of an answer at most."""
    temperature: float = Field(default=1.0, gt=0.0, le=5.0)
    """Of the answers that are learnt from."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Nucleus of the answers that are learnt from."""
    vllm: bool = False
    """Draw the answers that are learnt from with vLLM, beside the policy on its GPU; needs the package. Its
    probabilities are not the policy's to the last digit, so neither are two runs of one seed."""
    vllm_memory: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of the GPU's memory that vLLM takes."""
    iterations: int = Field(default=1, ge=1)
    """Optimiser steps on the same answers."""
    clip: float = Field(default=0.2, gt=0.0, lt=1.0)
    """How far the probability ratio counts from 1 (Schulman et al. 2017, eq. 7)."""
    mask_truncated: bool = False
    """Leave out of the loss answers that were cut at max_new_tokens."""
    max_steps: int = Field(default=20, ge=0, le=MOST_STEPS)
    """Optimiser steps; 0 goes by epochs."""
    learning_rate: float = Field(default=2e-5, gt=0.0, lt=1.0)
    """Peak learning rate. Full fine-tuning wants 10 to 100 times less than LoRA."""
    evaluate_prompts: int = Field(default=32, ge=1)
    """Held-out prompts that are answered for a measure of the reward."""
    answers_every: int = Field(default=1, ge=0)
    """Steps between writing down the best and the worst of the answers learnt from; 0 for none."""

    def rows_a_step(self) -> float:
        """Prompts: the batch holds all answers to each."""
        return self.batch_size * self.gradient_accumulation / self.generations

    @model_validator(mode="after")
    def _whole_groups(self) -> OnlineSpec:
        answers = self.batch_size * self.gradient_accumulation
        if answers % self.generations:
            raise ValueError(
                f"batch_size times gradient_accumulation is {answers} answers a step, "
                f"which is no multiple of generations ({self.generations})"
            )
        return self
