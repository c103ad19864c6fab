"""Linear layers in bf16 on a CPU, with weights laid out once as the matrix unit reads them.

Torch lays them out anew at every call, which for a batch of some dozen rows takes longer than the
product. The results are the same bit for bit. The price is a second copy of the weights.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psutil
import torch
from torch import Tensor, nn

_ROWS = 32
"""Rows of a product that the layout is chosen for."""
_SPARE = 2.0
"""Times the copies' size that has to be free in main memory."""


def pack_linears(model: Any) -> int:
    """Give every plain linear layer a packed copy of its weights; how many have one now.

    None on a GPU, in another type than bf16, on a machine or a torch without the kernels, or where
    memory is short. The weights must not be changed afterwards.
    """
    layers = _packable(model)
    size = sum(layer.weight.numel() * layer.weight.element_size() for layer in layers)
    if not layers or psutil.virtual_memory().available < _SPARE * size or not _has_kernels():
        return 0
    for layer in layers:
        _pack(layer)
    return len(layers)


@contextmanager
def packed(model: Any) -> Iterator[None]:
    """Packed while inside: for a model whose weights change in between, or whose memory is wanted again."""
    pack_linears(model)
    try:
        yield
    finally:
        for module in model.modules():
            if isinstance(own := vars(module).get("forward"), partial) and own.func is _product:
                del module.forward


def keep_packed_only(model: Any) -> int:
    """Pack the layers and let go of their weights, so that the memory stays what it was; how many.

    A layer keeps a weight of its shape and type that holds nothing: only forward passes work from
    here on. Weights that another module reads as well, such as tied embeddings, stay as they are.
    """
    readers = Counter(
        id(own)
        for module in model.modules()
        for own in vars(module)["_parameters"].values()
        if own is not None
    )
    layers = [layer for layer in _packable(model) if readers[id(layer.weight)] == 1]
    if not layers or not _has_kernels():
        return 0
    for layer in layers:
        _pack(layer)
        empty = torch.zeros(1, dtype=layer.weight.dtype).expand(layer.weight.shape)
        layer.weight = nn.Parameter(empty, requires_grad=False)
    _give_back_memory()
    return len(layers)


def _give_back_memory() -> None:
    """What was let go of lies between what is held, where glibc would keep it for later."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _packable(model: Any) -> list[Any]:
    return [
        module
        for module in model.modules()
        if type(module) is nn.Linear
        and module.weight.dtype == torch.bfloat16
        and module.weight.device.type == "cpu"
    ]


def _pack(layer: Any) -> None:
    packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _ROWS)
    bias = None if layer.bias is None else layer.bias.detach()
    layer.forward = partial(_product, packed, bias)


def _product(packed: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")


def _has_kernels() -> bool:
    """Whether a small product comes out as torch's own does: these are no public functions of torch."""
    try:
        weight = torch.arange(64 * 64, dtype=torch.float32).reshape(64, 64).remainder(7).bfloat16()
        x = weight[:3] / 8
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        return torch.equal(_product(packed, None, x), nn.functional.linear(x, weight))
    except (AttributeError, RuntimeError):
        return False
