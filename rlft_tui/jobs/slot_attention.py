"""Attention of one new token a row on a CPU, without copying keys for every head that shares them.

Transformers repeats keys and values for each query head as soon as there is a mask; torch's kernel
can take them as they are.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from rlft_tui.jobs.grouped_attention import NAME as GROUPED

NAME = "rlft_slots"


def use_slot_attention(model: Any) -> None:
    """Let a model on a CPU attend this way, if it would have used torch's kernel."""
    if model.device.type != "cpu" or model.config.get_text_config()._attn_implementation not in (
        "sdpa",
        GROUPED,
    ):
        return
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


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
    if attention_mask is None or query.shape[2] > 1 or dropout:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
    out = scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=True
    )
    return out.transpose(1, 2), None
