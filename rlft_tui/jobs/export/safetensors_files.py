"""Safetensors: the merged model as transformers writes it, or the adapter alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from rlft_tui.jobs.tokenizer_loading import copy_tokenizer

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def stored_dtype(path: str) -> torch.dtype:
    """What the weights of a model folder are stored in."""
    from transformers import AutoConfig

    found = getattr(AutoConfig.from_pretrained(path), "dtype", None)
    return found if found in NAMES else torch.float32


def write_merged(
    model: Any, base: str, folder: Path, *, dtype: torch.dtype, shard_gb: float = 1000.0
) -> None:
    """Weights, config, generation settings, and the base's own tokenizer with its chat template."""
    model.to(dtype).save_pretrained(folder, max_shard_size=int(shard_gb * 1e9))
    copy_tokenizer(base, folder)


def copy_adapter(adapter: Path, folder: Path) -> None:
    """The adapter as PEFT reads it, without what only a run needs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ADAPTER_FILES:
        shutil.copy2(adapter / name, folder / name)
