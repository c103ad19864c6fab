"""How many texts to write at the same time: as many as help, and fit into the memory that is free."""

from __future__ import annotations

from typing import Any

import psutil
import torch

_MOST = {"cpu": 64, "cuda": 512}
"""More rows in a pass do not make it quicker any more."""
_SHARE = 0.5
"""Of the free memory that the cache and the logits may take."""


def choose_slots(model: Any, *, tokens: int, most: int, rows: int) -> int:
    """Rows at a time for texts of ``tokens`` tokens, prompt and answer together.

    ``most`` is what was asked for, 0 for a choice by memory; never more than there are ``rows``.
    """
    if most:
        return min(most, rows)
    device = model.device.type
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else psutil.virtual_memory().available
    fitting = int(free * _SHARE / row_bytes(model, tokens))
    return max(1, min(fitting, _MOST.get(device, 64), rows))


def row_bytes(model: Any, tokens: int) -> int:
    """Bytes that one row needs besides the weights: keys, values, and its logits some times over."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = torch.finfo(model.dtype).bits // 8
    return int(2 * config.num_hidden_layers * heads * size * tokens * width + 5 * 4 * config.vocab_size)
