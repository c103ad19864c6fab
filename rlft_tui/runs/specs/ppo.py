"""Settings of proximal policy optimisation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rlft_tui.runs.specs.alarms import ReferenceAlarms
from rlft_tui.runs.specs.base import MOST_ROWS, MOST_STEPS
from rlft_tui.runs.specs.rewards import RewardPart, Rewards
from rlft_tui.runs.specs.training import PolicySpec


class PpoSpec(PolicySpec):
    """Proximal policy optimisation (Schulman et al. 2017) against rewards, held near a reference
    (Ziegler et al. 2019)."""

    method: Literal["ppo"] = "ppo"
    rewards: Rewards = Field(default_factory=lambda: (RewardPart(source="length"),))
    """What rewards an answer, each with an optional weight: a built-in (length:0.5, rlft rewards list), a
    Python file of the workspace (rewards/mine.py or rewards/mine.py:function:2), or a trained reward model
    (model:NAME). Options of a built-in come last: length:1:minimum=8:maximum=15. The rewards are added."""
    reward_seconds: float = Field(default=600.0, gt=0.0)
    """What one call of a reward function may take, a trained reward model's apart: a function that hangs ends
    the run, which can be resumed from its last checkpoint once the function is put right."""
    max_steps: int = Field(default=50, ge=0, le=MOST_STEPS)
    """Updates: answers are drawn, rewarded and learned from once each; 0 goes by epochs."""
    batch_size: int = Field(default=32, ge=1, le=MOST_ROWS)
    """Prompts answered an update."""
    mini_batch_size: int = Field(default=8, ge=1, le=MOST_ROWS)
    """Answers at most in one forward and backward pass."""
    gradient_accumulation: int = Field(default=1, ge=1, le=MOST_ROWS)
    """Passes an optimiser step: it learns from mini_batch_size times as many answers, batch_size at most."""
    ppo_epochs: int = Field(default=4, ge=1)
    """Times that each update's answers are learned from."""
    pass_tokens: int = Field(default=0, ge=0)
    """Tokens in a pass at most, prompts and padding included; changes memory and speed, not the result.
    0 is 1024 on a CPU and 8192 on a GPU."""
    generation_batch_size: int = Field(default=64, ge=1, le=MOST_ROWS)
    """Answers written together."""
    rollouts: Literal["own", "vllm"] = "own"
    """Who draws the answers that are learned from: own is the training process; vllm a vLLM server that the
    run starts, which holds the base once more. Its program is $RLFT_VLLM, or vllm on the PATH."""
    vllm_memory: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of the GPU's memory that vLLM takes."""
    importance_cap: float = Field(default=2.0, ge=1.0)
    """vLLM rounds in its own way: a token counts by its policy/vLLM probability, at most by this."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that share each update's answers: one a GPU, or some cores each. Batch sizes stay those of
    all together, and so does the result but for rounding. Each holds the model; the memory shown is that of
    the first."""
    learning_rate: float = Field(default=1e-5, gt=0.0, lt=1.0)
    """Of the policy, at its highest. Full fine-tuning wants about 3e-6."""
    value_learning_rate: float = Field(default=1e-4, gt=0.0, lt=1.0)
    """Of the value head (and the value adapter), at its highest."""
    warmup_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the updates over which the learning rates rise."""
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit"] = "adamw"
    """Adam with epsilon 1e-5; 8bit ones hold its state in 8 bits, paged ones move it to main memory when the
    GPU is full."""
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    """How the learning rates go down after the warm-up."""
    temperature: float = Field(default=1.0, gt=0.0, le=5.0)
    """Divides the logits, in sampling and in every log-probability."""
    max_new_tokens: int = Field(default=64, ge=1, le=8192)
    """Tokens of an answer at most, its end of sequence not counted."""

    init_kl_coef: float = Field(default=0.05, ge=0.0)
    """beta: what a nat of KL to the reference costs (Ziegler et al. 2019, eq. 2), at the beginning."""
    adaptive_kl: bool = True
    """Steer beta so that the KL settles at target_kl (Ziegler et al. 2019, section 2.2)."""
    target_kl: float = Field(default=6.0, gt=0.0)
    """KL to the reference at which adaptive_kl aims, in kl_unit. 3 holds the policy closer."""
    kl_unit: Literal["sequence", "token"] = "sequence"
    """target_kl is nats of a whole answer, or nats a token (0.03 is usual then)."""
    kl_horizon: int = Field(default=1000, ge=1)
    """Answers in which beta can change by a fifth; 10000 in Ziegler et al., for runs of millions."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k1"
    """How the KL of a drawn token is estimated (Schulman 2020), in the penalty and in what is shown."""

    cliprange: float = Field(default=0.2, gt=0.0, lt=1.0)
    """How far a probability ratio counts from 1 (Schulman et al. 2017, eq. 7)."""
    dual_clip: float = Field(default=0.0, ge=0.0)
    """Bound on the ratio of a bad answer (Ye et al. 2020), above 1; 0 for none."""
    vf_coef: float = Field(default=0.1, ge=0.0)
    """Weight of the value loss."""
    cliprange_value: float = Field(default=0.2, ge=0.0)
    """How far a value may move from the old one for nothing; 0 for no bound."""
    entropy_coef: float = Field(default=0.0, ge=0.0)
    """Weight of the entropy bonus, nats/token."""
    early_stop_kl: float = Field(default=0.0, ge=0.0)
    """KL from the policy that answered to the new one, nats/token, that ends an update early; 0 for never."""
    gamma: float = Field(default=1.0, ge=0.0, le=1.0)
    """Discount a token (Schulman et al. 2016)."""
    lam: float = Field(default=0.95, ge=0.0, le=1.0)
    """Lambda of generalised advantage estimation (Schulman et al. 2016, eq. 16)."""
    whiten_advantages: bool = True
    """Bring an update's advantages to mean 0 and variance 1, over all its tokens."""
    whiten_rewards: bool = False
    """Bring an update's per-token rewards to variance 1, their mean kept."""
    bootstrap_truncated: bool = False
    """An answer cut at max_new_tokens goes on being worth its last state's value, instead of being over."""
    value_trunk: Literal["shared", "detached", "adapter"] = "shared"
    """The critic reads the policy's last hidden state and trains it too; detached only reads it; adapter
    gives the critic a LoRA of its own, which costs a pass more."""
    share_reward_base: bool = True
    """A trained reward model on the policy's own base is one more adapter in memory, not a second model."""

    missing_eos_penalty: float = Field(default=0.0, ge=0.0)
    """What an answer cut at max_new_tokens loses; 0 for none."""
    missing_eos: Literal["subtract", "replace"] = "subtract"
    """subtract the penalty from the score, or replace the score by minus the penalty."""
    score_clip: float = Field(default=0.0, ge=0.0)
    """Bound on the absolute score that is learned from; 0 for none. The score shown is never clipped."""
    normalize_scores: bool = False
    """Divide scores by their running standard deviation."""
    center_scores: bool = False
    """Subtract the mean score of the first update, whose answers are the reference's own."""
    evaluate_prompts: int = Field(default=32, ge=1)
    """Held-out prompts that are answered for a measure of the reward."""
    answers_every: int = Field(default=1, ge=0)
    """Updates between writing down the best and the worst of the answers learnt from; 0 for none."""
    alarms: ReferenceAlarms = ReferenceAlarms()

    @model_validator(mode="after")
    def _fit_together(self) -> PpoSpec:
        if self.lora.dropout:
            raise ValueError(
                "lora.dropout: PPO has to be trained without dropout, which would change the probability of "
                "an answer at random. Set it to 0"
            )
        if self.dual_clip and self.dual_clip <= 1:
            raise ValueError("dual_clip: set it above 1, such as 3, or to 0 for none")
        if self.value_trunk == "adapter" and self.adaptation == "full":
            raise ValueError("value_trunk: adapter needs adaptation lora")
        if self.rollouts == "vllm":
            if self.adaptation != "lora" or self.quantization != "none" or self.lora.kind == "dora":
                raise ValueError("rollouts: vllm wants adaptation lora, quantization none and no dora")
            if self.processes > 1:
                raise ValueError("rollouts: vllm draws for one process; set processes to 1")
        if self.precision == "fp16":
            raise ValueError("precision: PPO computes in bf16 or fp32")
        if self.backend != "plain":
            raise ValueError("backend: PPO runs on the plain one")
        return self

    def rows_a_step(self) -> float:
        """Prompts that one update answers."""
        return self.batch_size

    @property
    def step_answers(self) -> int:
        """Answers an optimiser step learns from."""
        return min(self.mini_batch_size * self.gradient_accumulation, self.batch_size)
