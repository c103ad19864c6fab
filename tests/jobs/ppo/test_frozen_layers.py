"""Fused layers against PEFT's and transformers' own: outputs and gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, set_seed

from rlft_tui.jobs.ppo.frozen_layers import fuse_frozen_layers

IDS = torch.arange(3, 27).view(2, 12)


def adapted(path: Path, **settings: Any) -> Any:
    """The tiny model with an adapter that is not at its start."""
    set_seed(3)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM", **settings)
    model = get_peft_model(model, config).eval()
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter.data, std=0.1)
    return model


def logits_and_gradients(model: Any) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    logits = model(input_ids=IDS).logits
    logits.log_softmax(-1)[..., 5].sum().backward()
    return logits.detach(), {
        name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
    }


def test_results_and_gradients_are_those_of_peft_and_transformers(tiny_model: Path) -> None:
    model = adapted(tiny_model)
    expected, gradients = logits_and_gradients(model)
    assert fuse_frozen_layers(model) > 10
    found, own = logits_and_gradients(model)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert own.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(own[name], gradient, rtol=1e-4, atol=1e-5, msg=name)


def test_without_gradients_the_results_are_the_same(tiny_model: Path) -> None:
    model = adapted(tiny_model)
    fuse_frozen_layers(model)
    expected, _ = logits_and_gradients(model)
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=IDS).logits, expected, rtol=1e-5, atol=1e-5)


def test_without_gradients_a_changed_adapter_counts_at_once(tiny_model: Path) -> None:
    model = adapted(tiny_model).to(torch.bfloat16)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    fuse_frozen_layers(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        expected, _ = logits_and_gradients(model)
        with torch.inference_mode():
            found = model(input_ids=IDS).logits
        torch.testing.assert_close(found, expected)
        optimizer.step()
    with torch.no_grad():
        changed = model(input_ids=IDS).logits
    assert not torch.allclose(changed, found)
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer.step()
    model.load_state_dict(saved)
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=IDS).logits, changed)


def test_with_the_adapter_off_it_is_the_base(tiny_model: Path) -> None:
    model = adapted(tiny_model)
    fuse_frozen_layers(model)
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    with torch.no_grad(), model.disable_adapter():
        torch.testing.assert_close(model(input_ids=IDS).logits, base(input_ids=IDS).logits)


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"lora_bias": True}])
def test_other_adapters_compute_as_before(tiny_model: Path, settings: dict[str, Any]) -> None:
    model = adapted(tiny_model, **settings)
    expected, gradients = logits_and_gradients(model)
    fuse_frozen_layers(model)
    found, own = logits_and_gradients(model)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert own.keys() == gradients.keys()


def test_a_norm_that_computes_something_else_is_left_alone(tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).requires_grad_(False)
    norm = model.model.norm
    forward = type(norm).forward
    norm.forward = lambda x: forward(norm, x) * 2
    fuse_frozen_layers(model)
    x = torch.randn(3, len(norm.weight))
    torch.testing.assert_close(norm(x), forward(norm, x) * 2)
