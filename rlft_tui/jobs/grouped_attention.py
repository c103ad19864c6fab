"""Attention over short sequences on a CPU, as three matrix products.

Torch's own kernel there is written for long sequences: at 16 queries or 90 tokens most of its time
goes into blocks that are not full, and its backward pass takes four times as long as the products
do. Written out, all query heads that share a key head are rows of one product, so keys and values
are never copied for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "rlft_grouped"
LONGEST = 256
"""Tokens; above that the probabilities kept for the backward pass weigh more than they save."""

_AFTER: ContextVar[tuple[int, int] | None] = ContextVar("rows_after", default=None)


def use_grouped_attention(model: Any) -> None:
    """Let a model on a CPU attend this way, if it would have used torch's kernel."""
    if model.device.type != "cpu" or model.config.get_text_config()._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def grouped_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, *, causal: bool
) -> Tensor:
    """softmax(scale Q K^T) V for query (b, heads, q, d), key and value (b, groups, k, d): (b, heads, q, d).

    ``mask`` (b or 1, 1, q, k) is true where a query may look; None with ``causal`` is the lower
    triangle, and needs q = k. A query that may look nowhere gets the mean of all values.
    """
    b, heads, q, _ = query.shape
    groups, k = key.shape[1:3]
    together = (query * scale).reshape(b, groups, heads // groups * q, -1)
    scores = (together @ key.transpose(2, 3)).view(b, heads, q, k)
    if mask is None and causal:
        mask = torch.ones(q, k, dtype=torch.bool, device=query.device).tril()
    if mask is not None:
        hidden = torch.zeros(mask.shape, dtype=scores.dtype, device=query.device)
        scores = scores + hidden.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1).view(b, groups, -1, k)
    return (weights @ value).view(b, heads, q, -1)


@contextmanager
def rows_after(shared: int, rows: int) -> Iterator[None]:
    """Inside, a pass is one row of tokens: ``shared`` ones, then so many rows of which each follows those."""
    token = _AFTER.set((shared, rows))
    try:
        yield
    finally:
        _AFTER.reset(token)


def branching_attention(
    query: Tensor, key: Tensor, value: Tensor, scale: float, shared: int, rows: int
) -> Tensor:
    """Causal attention of (1, heads or groups, shared + rows L, d): a row sees the shared tokens and its own.

    The outputs, (1, heads, shared + rows L, d), are those of rows each read behind a copy of what is shared.
    """
    first_q, first_k, first_v = (tensor[:, :, :shared] for tensor in (query, key, value))
    q, k, v = (
        tensor[0, :, shared:].unflatten(1, (rows, -1)).transpose(0, 1) for tensor in (query, key, value)
    )
    k = torch.cat([first_k.expand(rows, -1, -1, -1), k], 2)
    v = torch.cat([first_v.expand(rows, -1, -1, -1), v], 2)
    seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=query.device).tril(shared)
    if k.shape[2] > LONGEST:
        first = scaled_dot_product_attention(
            first_q, first_k, first_v, is_causal=True, scale=scale, enable_gqa=True
        )
        then = scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale, enable_gqa=True)
    else:
        first = grouped_attention(first_q, first_k, first_v, None, scale, causal=True)
        then = grouped_attention(q, k, v, seen[None, None], scale, causal=False)
    return torch.cat([first, then.transpose(0, 1).flatten(1, 2)[None]], 2)


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,
) -> tuple[Tensor, None]:
    """Transformers' interface; what this is not made for goes to torch's kernel as before."""
    q, k = query.shape[2], key.shape[2]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if (after := _AFTER.get()) is not None:
        return branching_attention(query, key, value, scale, *after).transpose(1, 2), None
    if dropout or more.get("is_causal") is False or (q > 1 and k > LONGEST):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
    out = grouped_attention(query, key, value, attention_mask, scale, causal=q > 1)
    return out.transpose(1, 2), None
