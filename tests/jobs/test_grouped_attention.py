"""Attention written out as products gives what torch's kernel gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from rlft_tui.jobs import grouped_attention as module
from rlft_tui.jobs.grouped_attention import NAME, grouped_attention, use_grouped_attention
from rlft_tui.jobs.trainable import load_model


def tensors(q: int, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Query of six heads, key and value of two; laid out in memory as a model does."""
    torch.manual_seed(3)
    shapes = ((2, q, 6, 4), (2, k, 2, 4), (2, k, 2, 4))
    query, key, value = (torch.randn(s, dtype=torch.float64).transpose(1, 2) for s in shapes)
    return query.requires_grad_(), key.requires_grad_(), value.requires_grad_()


@pytest.mark.parametrize("kind", ["causal", "padded", "one query"])
def test_values_and_gradients_are_those_of_the_kernel(kind: str) -> None:
    q, k = (1, 7) if kind == "one query" else (7, 7)
    query, key, value = tensors(q, k)
    mask = None
    if kind != "causal":
        # The first row is padded by two on the left.
        seen = torch.ones(2, 1, 1, k, dtype=torch.bool)
        seen[0, ..., :2] = False
        mask = (torch.ones(k, k, dtype=torch.bool).tril()[-q:] & seen).contiguous()
    real = torch.ones(2, 1, q, 1, dtype=torch.float64) if mask is None else mask.any(-1, keepdim=True)
    upstream = torch.randn(2, 6, q, 4, dtype=torch.float64) * real
    found = []
    for attend in (
        grouped_attention(query, key, value, mask, 0.3, causal=q > 1),
        scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=kind == "causal", scale=0.3, enable_gqa=True
        ),
    ):
        gradients = torch.autograd.grad((attend * upstream).sum(), (query, key, value))
        found.append((attend * real, *gradients))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_model_computes_the_same_however_long_its_rows(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 8)
    kernel = load_model(str(tiny_model), "causal", torch.float32, "cpu", "none").eval()
    ours = load_model(str(tiny_model), "causal", torch.float32, "cpu", "none").eval()
    use_grouped_attention(ours)
    assert ours.config._attn_implementation == NAME
    for width in (6, 12):
        ids = torch.arange(2 * width).view(2, width)
        for mask in (None, (torch.arange(width)[None] >= torch.tensor([[0], [2]])).long()):
            with torch.no_grad():
                a, b = (m(input_ids=ids, attention_mask=mask).logits for m in (kernel, ours))
            real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
            torch.testing.assert_close(a[real], b[real], rtol=1e-4, atol=1e-5)


def test_a_model_that_does_not_use_the_kernel_is_left_alone(tiny_model: Path) -> None:
    model = load_model(str(tiny_model), "causal", torch.float32, "cpu", "none")
    model.set_attn_implementation("eager")
    use_grouped_attention(model)
    assert model.config._attn_implementation == "eager"
