"""A policy on the tiny model, answers to learn from, and an update made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.model_loading import set_threads
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.building import build_policy
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.rollout import Rollout
from rlft_tui.jobs.ppo.trainer import Trainer
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.runs.specs.adaptation import Lora
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.ppo import PpoSpec

PROMPTS = ["a", "to be", "once upon a time", "hello there"]


def spec_of(model: Path, **settings: Any) -> PpoSpec:
    """fp32 on one thread; ragged batches of six answers, three a pass, two passes a step."""
    defaults: dict[str, Any] = {
        "id": "tiny",
        "model": ModelSource(name="tiny", path=str(model)),
        "dataset": "abc",
        "lora": Lora(r=4, alpha=8),
        "max_steps": 4,
        "batch_size": 6,
        "mini_batch_size": 2,
        "gradient_accumulation": 2,
        "ppo_epochs": 2,
        "learning_rate": 1e-2,
        "value_learning_rate": 1e-2,
        "max_new_tokens": 12,
        "precision": "fp32",
        "threads": 1,
    }
    return PpoSpec(**(defaults | settings))


def policy_of(spec: PpoSpec) -> tuple[Policy, Any]:
    """A policy made from the spec's seed, and its tokenizer."""
    set_threads(spec.threads)
    set_seed(spec.seed)
    tokenizer = load_tokenizer(spec.model.path)
    dtype = torch.bfloat16 if spec.precision == "bf16" else torch.float32
    return build_policy(spec, tokenizer.pad_token_id, dtype, "cpu", Path("unused")), tokenizer


def judge_vowels(answers: Sequence[Answer]) -> list[Rewarded]:
    """The share of vowels in an answer."""
    shares = [sum(letter in "aeiou" for letter in a.text) / max(1, len(a.text)) for a in answers]
    return [Rewarded(share, {"vowels": share}) for share in shares]


def trainer_of(spec: PpoSpec, judge: Any = judge_vowels) -> Trainer:
    """A trainer on four prompts of unequal length, whose answers end at one token in sixteen."""
    policy, tokenizer = policy_of(spec)
    prompts = [tokenizer(text)["input_ids"] for text in PROMPTS]
    rollout = Rollout(
        policy, tokenizer, max_new_tokens=spec.max_new_tokens, rows=spec.generation_batch_size, seed=spec.seed
    )
    rollout.ends |= frozenset(range(0, 250, 16))
    return Trainer(policy, rollout, judge, prompts, spec, spec.max_steps)


def answer(prompt: int, response: int, *, ended: bool = True, first: int = 5) -> Answer:
    """An answer of these lengths, its tokens counted up from ``first``."""
    ids = list(range(first, first + prompt + response))
    return Answer([token % 250 for token in ids[:prompt]], [token % 250 for token in ids[prompt:]], ended)


def make_far(policy: Policy, by: float = 0.1) -> None:
    """Move the policy and the critic away from where they start."""
    with torch.no_grad():
        generator = torch.Generator().manual_seed(11)
        for parameter in policy.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=generator))
