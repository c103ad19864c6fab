"""One pass through a model's layers, up to the states that output layer and value head read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from rlft_tui.jobs.shared_prefix import after_shared


def last_states(trunk: Any, shared: Tensor, ids: Tensor) -> Tensor:
    """Last hidden states (b, L, hidden) of token ids (b, L) that follow the shared ones (1, P); P may be 0.

    What the rows share is read once, and each attends to its keys and values; its gradient is the sum
    of theirs.
    """
    cache = after_shared(trunk, shared, len(ids)) if shared.numel() else None
    hidden: Tensor = trunk(
        input_ids=ids, past_key_values=cache, use_cache=cache is not None
    ).last_hidden_state
    return hidden


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
