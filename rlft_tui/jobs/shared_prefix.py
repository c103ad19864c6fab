"""Tokens that several sequences begin with, read once: under causal attention their states are the same.

A system prompt, the head of a chat template, one prompt answered often. Only for models of which
``batch_decoding.takes_slots`` is true, whose layers keep all keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from rlft_tui.jobs.grouped_attention import NAME as GROUPED
from rlft_tui.jobs.grouped_attention import rows_after

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


def _after_shared(model: Any, ids: Tensor, rows: int) -> DynamicCache:
    """Keys and values of (1, P) tokens, as so many rows that are views of one."""
    cache = DynamicCache()
    model(input_ids=ids, past_key_values=cache, use_cache=True)
    layers: list[Any] = list(cache.layers)
    for layer in layers:
        layer.keys = layer.keys.expand(rows, -1, -1, -1)
        layer.values = layer.values.expand(rows, -1, -1, -1)
    return cache


def last_states(trunk: Any, shared: Tensor, ids: Tensor) -> Tensor:
    """Last hidden states (b, L, hidden) of token ids (b, L) that follow the shared ones (1, P); P may be 0.

    What the rows share is read once, and each attends to its keys and values; its gradient is the sum
    of theirs. With our attention all tokens are one row of one pass: laying out weights for a product
    of 29 tokens takes as long as for one of 500.
    """
    rows, length = ids.shape
    common = shared.numel()
    if not common:
        plain: Tensor = trunk(input_ids=ids, use_cache=False).last_hidden_state
        return plain
    if trunk.config.get_text_config()._attn_implementation != GROUPED:
        cache = _after_shared(trunk, shared, rows)
        behind: Tensor = trunk(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
        return behind
    places = torch.arange(common + length, device=ids.device)
    with rows_after(common, rows):
        states: Tensor = trunk(
            input_ids=torch.cat([shared, ids.reshape(1, -1)], 1),
            position_ids=torch.cat([places[:common], places[common:].repeat(rows)])[None],
            # Of four dimensions, so that no mask is made: the attention knows what each token sees.
            attention_mask=ids.new_ones(1, 1, 1, 1, dtype=torch.bool),
            use_cache=False,
        ).last_hidden_state
    return states[0, common:].view(rows, length, -1)
