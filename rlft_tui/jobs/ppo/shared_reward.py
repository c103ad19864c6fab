"""A reward model that sits on the policy's own base, as one more adapter of the model in memory.

Where both were trained from the same weights a second copy of them would hold nothing new: the trunk
runs with the reward's adapter instead of the policy's, and its head reads the last token's state. The
score is that of jobs/reward_scoring.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file

from rlft_tui.datasets.rows import Conversation
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Setup
from rlft_tui.jobs.model_loading import check_adapter_folder
from rlft_tui.jobs.online import model_loader
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.reward_functions import ConversationScorer
from rlft_tui.jobs.reward_scoring import conversation_ids
from rlft_tui.jobs.shared_prefix import shared_length
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.ppo import PpoSpec

WEIGHTS = "adapter_model.safetensors"
BATCH = 8
"""Conversations in one pass."""


def shared_adapters(spec: PpoSpec) -> dict[str, str]:
    """Folder of each reward model that can share the policy's base → name of its adapter there.

    A quantised base is another than the one that the reward model was trained on.
    """
    if not spec.share_reward_base or spec.adaptation != "lora" or spec.quantization != "none":
        return {}
    models = [part.model for part in spec.rewards if part.model is not None]
    folders = [model.adapter for model in models if model.adapter and model.path == spec.model.path]
    return {folder: f"reward_{number}" for number, folder in enumerate(dict.fromkeys(folders))}


def add_reward_adapters(model: PeftModel, spec: PpoSpec) -> None:
    """Put them on the policy's base; torch's random state is left as it was."""
    for folder, name in shared_adapters(spec).items():
        check_adapter_folder(Path(folder))
        config: Any = LoraConfig.from_pretrained(folder)
        # The head is read apart, and a language model has no module of its name to be replaced.
        config.task_type, config.modules_to_save = "CAUSAL_LM", None
        with torch.random.fork_rng(devices=[]):
            model.add_adapter(name, config)
        saved = load_file(Path(folder) / WEIGHTS)
        weights = {key: value for key, value in saved.items() if not _is_head(key)}
        result: Any = set_peft_model_state_dict(model, weights, adapter_name=name)
        if extra := result.unexpected_keys:
            raise RlftError(f"the reward model does not fit this base: {extra[0]}", where=folder)


def reward_loader(setup: Setup[PpoSpec], policy: Policy) -> Callable[[ModelSource], ConversationScorer]:
    """Finds a reward model on the policy's base, or loads it beside it."""
    shared, beside = shared_adapters(setup.spec), model_loader(setup)

    def load(source: ModelSource) -> ConversationScorer:
        if source.adapter in shared:
            return SharedRewardModel(policy, shared[source.adapter], Path(source.adapter), setup.tokenizer)
        return beside(source)

    return load


class SharedRewardModel:
    """Scores conversations through the policy's trunk."""

    def __init__(self, policy: Policy, name: str, folder: Path, tokenizer: Any) -> None:
        """``name`` is the adapter's on the policy; RlftError when ``folder`` has no score head."""
        head = {
            key.rpartition(".")[2]: value.to(policy.device, torch.float32)
            for key, value in load_file(folder / WEIGHTS).items()
            if _is_head(key)
        }
        if "weight" not in head:
            raise RlftError(
                "this adapter has no score head, so it is no reward model",
                where=str(folder),
                remedy="Train one: rlft train reward",
            )
        self.policy = policy
        self.name = name
        self.tokenizer = tokenizer
        self._weight, self._bias = head["weight"], head.get("bias")
        self.longest: int = getattr(policy.model.config.get_text_config(), "max_position_embeddings", 1 << 20)

    def score(self, conversations: list[Conversation]) -> list[float]:
        """The score of each conversation's last answer; a longer one than the model can read loses its
        beginning."""
        ids = [conversation_ids(self.tokenizer, one)[-self.longest :] for one in conversations]
        scores = [0.0] * len(ids)
        # Those of like length share a pass, so little is spent on padding.
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            found = self._pass([ids[place] for place in batch])
            for place, score in zip(batch, found, strict=True):
                scores[place] = score
        return scores

    @torch.no_grad()
    def _pass(self, ids: list[list[int]]) -> list[float]:
        """Padding stands at the end, where no token sees it."""
        common = shared_length(ids) if self.policy.shares else 0
        width, device = max(map(len, ids)), self.policy.device
        padded = [one[common:] + [self.policy.pad_id] * (width - len(one)) for one in ids]
        shared = torch.tensor([ids[0][:common]], dtype=torch.int64, device=device)
        with self.policy.adapters.using(self.name), self.policy.precision():
            states = self.policy.states(shared, torch.tensor(padded, device=device))
        ends = torch.tensor([len(one) - common - 1 for one in ids])
        last = states[torch.arange(len(ids)), ends].float()
        scores: list[float] = torch.nn.functional.linear(last, self._weight, self._bias)[:, 0].tolist()
        return scores


def _is_head(key: str) -> bool:
    return "score" in key.split(".")
