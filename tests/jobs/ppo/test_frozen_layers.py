"""Fused layers against PEFT's and transformers' own: outputs and gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, set_seed

from rlft_tui.jobs.ppo.frozen_layers import adapters_rounded_once, fuse_frozen_layers

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


def test_adapters_rounded_once_compute_the_same_and_change_with_the_next_step(tiny_model: Path) -> None:
    model = adapted(tiny_model).to(torch.bfloat16)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    fuse_frozen_layers(model)
    optimizer = torch.optim.AdamW(trained, lr=0.1, fused=True)
    before = None
    for _ in range(3):
        expected, _ = logits_and_gradients(model)
        with torch.inference_mode(), adapters_rounded_once(model):
            once, again = model(input_ids=IDS).logits, model(input_ids=IDS).logits
        torch.testing.assert_close(once, expected)
        assert torch.equal(once, again)
        assert before is None or not torch.allclose(once, before)
        before = once
        optimizer.step()


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
