"""Layers around frozen weights, each as one step of autograd: same results, less time and memory.

With an adapter on every linear layer a pass spends a third of its time outside its large products: PEFT
scales and adds each adapter's output in passes of their own, and a normalisation written in float32
keeps its float32 intermediates for the backward pass. Here the adapter's output is accumulated by its
product (BLAS's ``alpha``), and a normalisation keeps its input and one number a token. Layers that are not
exactly what these are made for (quantised, DoRA, other norms) are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def fuse_frozen_layers(model: Any) -> int:
    """Replace what can be; how many layers were. The weights of the base must stay as they are."""
    from peft.tuners.lora.layer import Linear

    lora: list[Any] = [
        module
        for module in model.modules()
        if isinstance(module, Linear) and type(module.base_layer) is nn.Linear
    ]
    norms: list[Any] = [module for module in model.modules() if _is_rms_norm(module)]
    rounding = _Rounding()
    for layer in lora:
        layer.forward = partial(_lora_forward, layer, layer.forward, rounding)
    for norm in norms:
        norm.forward = partial(_rms_norm, norm)
    return len(lora) + len(norms)


@contextmanager
def adapters_rounded_once(model: Any) -> Iterator[None]:
    """Round each adapter once for all passes without gradients inside, where nothing may change it.

    Drawing answers takes hundreds of passes. (A fused optimiser changes weights without torch's count of
    changes, so they cannot be watched instead.)
    """
    found = [own for module in model.modules() if isinstance(own := vars(module).get("forward"), partial)]
    roundings = {own.args[2] for own in found if own.func is _lora_forward}
    for rounding in roundings:
        rounding.kept = {}
    try:
        yield
    finally:
        for rounding in roundings:
            rounding.kept = None


class _Rounding:
    """An adapter's two matrices in the type of the products."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, torch.dtype], tuple[Tensor, Tensor]] | None = None
        """By the identity of the first; None while they may change."""

    def of(self, a: Tensor, b: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        if self.kept is None:
            return a.to(dtype), b.to(dtype)
        key = id(a), dtype
        if key not in self.kept:
            self.kept[key] = a.to(dtype), b.to(dtype)
        return self.kept[key]


def _lora_forward(
    layer: Any, otherwise: Callable[..., Tensor], rounding: _Rounding, x: Tensor, **more: Any
) -> Tensor:
    """A PEFT LoRA layer's forward pass in evaluation mode, with one adapter or none."""
    base = layer.base_layer
    if more or len(layer.active_adapters) > 1:
        return otherwise(x, **more)
    name = None if layer.disable_adapters else layer.active_adapters[0]
    x = x.to(base.weight.dtype)
    if name not in layer.lora_A:
        plain: Tensor = base(x)
        return plain
    if name in layer.lora_variant or layer.lora_B[name].bias is not None:
        return otherwise(x)
    a, b, scale = layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]
    if torch.is_grad_enabled():
        product: Tensor = _LoraProduct.apply(x, base.weight, base.bias, a, b, scale)
        return product
    narrow_a, narrow_b = rounding.of(a, b, x.dtype)
    out: Tensor = base(x)
    low = nn.functional.linear(x, narrow_a).view(-1, len(a))
    out.view(-1, len(b)).addmm_(low, narrow_b.T, alpha=scale)
    return out


class _LoraProduct(torch.autograd.Function):
    """x W^T + bias + scale (x A^T) B^T (Hu et al. 2021), W and bias frozen.

    Computed in W's type; A and B (r, in), (out, r) are rounded to it for the products and get
    their gradients in their own.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        narrow_a, narrow_b = a.to(weight.dtype), b.to(weight.dtype)
        low = rows @ narrow_a.T
        out = nn.functional.linear(rows, weight, bias)
        out.addmm_(low, narrow_b.T, alpha=scale)
        ctx.save_for_backward(rows, low, weight, narrow_a, narrow_b)
        ctx.scale, ctx.types = scale, (a.dtype, b.dtype)
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, low, weight, a, b = ctx.saved_tensors
        d_out = grads[0].reshape(-1, weight.shape[0])
        d_low = d_out @ b
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = (d_out @ weight).addmm_(d_low, a, alpha=ctx.scale).view(*grads[0].shape[:-1], -1)
        d_a = (d_low.T @ rows).to(ctx.types[0]) * ctx.scale if ctx.needs_input_grad[3] else None
        d_b = (d_out.T @ low).to(ctx.types[1]) * ctx.scale if ctx.needs_input_grad[4] else None
        return d_x, None, None, d_a, d_b, None


def _is_rms_norm(module: Any) -> bool:
    """Llama's, and those written like it: Mistral's, Qwen's, SmolLM's."""
    weight = getattr(module, "weight", None)
    return (
        type(module).__name__.endswith("RMSNorm")
        and isinstance(getattr(module, "variance_epsilon", None), float)
        and isinstance(weight, Tensor)
        and not weight.requires_grad
        and _same(module)
    )


@torch.no_grad()
def _same(module: Any) -> bool:
    """Whether it computes what ``_RmsNorm`` does, but for rounding: some add one to their weights."""
    x = torch.linspace(-3, 2, 4 * len(module.weight), device=module.weight.device).view(4, -1)
    x = x.to(module.weight.dtype)
    rounding = 2 * torch.finfo(x.dtype).eps
    return torch.allclose(module(x), _rms_norm(module, x), rtol=rounding, atol=rounding)


def _rms_norm(module: Any, x: Tensor) -> Tensor:
    if not torch.is_grad_enabled():
        return _normed(x, module.weight, module.variance_epsilon)[0]
    normed: Tensor = _RmsNorm.apply(x, module.weight, module.variance_epsilon)
    return normed


def _normed(x: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The normalised x, and what each token was scaled by."""
    wide = x.float()
    # One pass without a copy; a mean of squares takes twice as long.
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    scale = length.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
    return weight * (wide.mul_(scale).to(x.dtype) if wide is not x else wide * scale), scale


class _RmsNorm(torch.autograd.Function):
    """w x / sqrt(mean(x^2) + epsilon) over the last dimension (Zhang and Sennrich 2019), w frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        normed, scale = _normed(x, weight, epsilon)
        ctx.save_for_backward(x, weight, scale)
        return normed

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        x, weight, scale = ctx.saved_tensors
        normed = x.float() * scale
        d_normed = (grads[0] * weight).float()
        along = (d_normed * normed) @ normed.new_full((x.shape[-1], 1), 1 / x.shape[-1])
        d_x = d_normed.addcmul_(normed, along, value=-1).mul_(scale)
        return d_x.to(x.dtype), None, None
