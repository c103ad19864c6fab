"""Layers that compute again for the backward pass what they did not keep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.modeling_layers import GradientCheckpointingLayer


def checkpointed(trunk: Any) -> list[Any]:
    """The layers that are to keep nothing but their input for the backward pass."""
    return [
        module
        for module in trunk.modules()
        if isinstance(module, GradientCheckpointingLayer) and module.gradient_checkpointing
    ]


@contextmanager
def training(layers: list[Any]) -> Iterator[None]:
    """These layers are in training mode, without what is in them, while gradients are wanted.

    Transformers recomputes a layer in training mode only, and dropout inside it must stay off.
    It is not left on: in this mode a layer takes no cache, which drawing answers needs.
    """
    wanted = torch.is_grad_enabled()
    for layer in layers:
        layer.training = wanted
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False
