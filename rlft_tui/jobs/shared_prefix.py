"""Tokens that several sequences begin with, read once: under causal attention their states are the same.

A system prompt, the head of a chat template, one prompt answered often. Only for models of which
``batch_decoding.takes_slots`` is true, whose layers keep all keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import DynamicCache

SHARED_AT_LEAST = 8
"""Tokens that are worth a pass of their own through every layer."""


def shared_length(sequences: Sequence[Sequence[int]]) -> int:
    """How many tokens all begin with; 0 where sharing them is not worth it.

    The last token of the shortest is never among them, so that each is left a token of its own.
    """
    if len(sequences) < 2:
        return 0
    common = 0
    for tokens in zip(*(ids[:-1] for ids in sequences), strict=False):
        if len(set(tokens)) > 1:
            break
        common += 1
    return common if common >= SHARED_AT_LEAST else 0


def after_shared(model: Any, ids: Tensor, rows: int) -> DynamicCache:
    """Keys and values of (1, P) tokens, as so many rows that are views of one."""
    cache = DynamicCache()
    model(input_ids=ids, past_key_values=cache, use_cache=True)
    layers: list[Any] = list(cache.layers)
    for layer in layers:
        layer.keys = layer.keys.expand(rows, -1, -1, -1)
        layer.values = layer.values.expand(rows, -1, -1, -1)
    return cache
