"""From a spec to the model that PPO trains."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model

from rlft_tui.jobs.grouped_attention import use_grouped_attention
from rlft_tui.jobs.ppo.adapters import POLICY, REFERENCE, VALUE
from rlft_tui.jobs.ppo.frozen_layers import fuse_frozen_layers
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.shared_reward import add_reward_adapters
from rlft_tui.jobs.ppo.value_head import ValueHead
from rlft_tui.jobs.trainable import load_trainable, lora_config
from rlft_tui.runs.specs.ppo import PpoSpec


def build_policy(spec: PpoSpec, pad_id: int, dtype: torch.dtype, device: str, merged: Path) -> Policy:
    """Base, adapters, reference and value head on their device, the policy equal to the reference.

    ``dtype`` is what is computed in; what learns is held in float32. New adapters are drawn
    from torch's generator: seed it before. ``merged`` is where a whole model is put that begins at a
    base and an adapter together.
    """
    model, new = load_trainable(spec, "causal", dtype, device, merged)
    use_grouped_attention(model)
    reference = None
    if spec.adaptation == "full":
        # A frozen copy computes only, and may be as narrow as computing is.
        reference = copy.deepcopy(model).to(dtype)
    elif new is not None:
        model = get_peft_model(model, new, adapter_name=POLICY)
    else:
        model.load_adapter(str(Path(spec.model.adapter)), adapter_name=REFERENCE, is_trainable=False)
    if spec.value_trunk == "adapter":
        model.add_adapter(VALUE, lora_config(spec.lora, "causal", model.get_base_model()))
    if isinstance(model, PeftModel):
        add_reward_adapters(model, spec)
        _train_adapters(model)
        fuse_frozen_layers(model)
    config = model.config.get_text_config()
    if spec.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    return Policy(
        model,
        ValueHead(config.hidden_size, detach=spec.value_trunk == "detached"),
        temperature=spec.temperature,
        pad_id=pad_id,
        reference=reference,
        autocast=dtype if dtype != torch.float32 else None,
    )


def _train_adapters(model: PeftModel) -> None:
    """The policy's and the critic's adapters learn, whichever PEFT holds to be active; nothing else does."""
    model.set_adapter(POLICY)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(f".{POLICY}." in name or f".{VALUE}." in name)
