"""Checkpoints from which a run goes on as if nothing had happened.

Weights stand in safetensors files, everything else in ``ppo_state.pt``. Prompts, mini-batches and
the policy's random numbers follow from the seed and the update's number; the state of the global
generators is kept for whatever else draws from them, such as a reward function.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.torch import load_file, save_file

from rlft_tui.jobs.checkpoints import Checkpoint, seal
from rlft_tui.jobs.ppo.adapters import POLICY, VALUE
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.trainer import Trainer

STATE = "ppo_state.pt"
HEAD = "value_head.safetensors"
VALUE_ADAPTER = "value_adapter.safetensors"


def save_policy(policy: Policy, folder: Path) -> tuple[str, ...]:
    """The policy as PEFT or transformers loads it, and the critic beside it; the files that must be there."""
    model = policy.model
    if policy.adapters.layers:
        model.save_pretrained(folder, selected_adapters=[POLICY])
        written: tuple[str, ...] = ("adapter_config.json", "adapter_model.safetensors")
    else:
        model.save_pretrained(folder)
        written = ("config.json",)
    save_file({name: tensor.contiguous() for name, tensor in policy.head.state_dict().items()}, folder / HEAD)
    if own := value_adapter(policy):
        save_file(own, folder / VALUE_ADAPTER)
        written = (*written, VALUE_ADAPTER)
    return (*written, HEAD)


def load_policy(policy: Policy, folder: Path) -> None:
    """The weights that ``save_policy`` wrote, bit for bit."""
    model = policy.model
    if policy.adapters.layers:
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"), POLICY)
    else:
        for path in sorted(folder.glob("model*.safetensors")):
            model.load_state_dict(load_file(path), strict=False)
    policy.head.load_state_dict(load_file(folder / HEAD))
    if own := value_adapter(policy):
        saved = load_file(folder / VALUE_ADAPTER)
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(saved[name])


def value_adapter(policy: Policy) -> dict[str, torch.Tensor]:
    """The weights of the critic's own adapter by name; empty where it has none."""
    return {name: p.data for name, p in policy.model.named_parameters() if f".{VALUE}." in name}


def save_checkpoint(trainer: Trainer, checkpoints: Path, measure: float | None = None) -> Checkpoint:
    """Write, sync and verify ``checkpoint-N``; N is the number of updates done.

    ``measure``: the held-out measure by which the best checkpoint is known later.
    """
    folder = checkpoints / f"checkpoint-{trainer.done}"
    folder.mkdir(parents=True, exist_ok=True)
    written = save_policy(trainer.policy, folder)
    torch.save({"trainer": trainer.state(), "random": random_states()}, folder / STATE)
    return seal(folder, step=trainer.done, tokens=trainer.tokens, required=(*written, STATE), measure=measure)


def load_checkpoint(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Go on from a verified checkpoint."""
    load_policy(trainer.policy, checkpoint.path)
    saved: dict[str, Any] = torch.load(checkpoint.path / STATE, map_location="cpu", weights_only=False)
    trainer.restore(saved["trainer"])
    restore_random_states(saved["random"])


def random_states() -> dict[str, Any]:
    """Of Python, NumPy and torch."""
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": numpy.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    numpy.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
