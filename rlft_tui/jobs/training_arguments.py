"""From a run's spec to transformers' TrainingArguments: the part that all methods share."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from rlft_tui.errors import UnavailableError
from rlft_tui.runs.specs.training import TrainingSpec

OPTIMIZERS = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
    "lion": "lion_32bit",
    "paged_lion_8bit": "paged_lion_8bit",
}
"""Names of transformers' OptimizerNames."""
_BITSANDBYTES = frozenset(OPTIMIZERS) - {"adamw", "adafactor", "sgd"}


def training_arguments(spec: TrainingSpec, dtype: torch.dtype, device: str, output: Path) -> dict[str, Any]:
    """Keyword arguments for any TRL config; the method adds its own."""
    if spec.optimizer in _BITSANDBYTES:
        _require_bitsandbytes(spec.optimizer, device)
    if spec.max_steps:
        length: dict[str, Any] = {
            "max_steps": spec.max_steps,
            "warmup_steps": round(spec.warmup_fraction * spec.max_steps),
        }
    else:
        # Below 1 it is a share of the steps, which only the trainer knows then.
        length = {"num_train_epochs": spec.epochs, "warmup_steps": spec.warmup_fraction}
    return {
        **length,
        "output_dir": str(output),
        "per_device_train_batch_size": spec.batch_size,
        "gradient_accumulation_steps": spec.gradient_accumulation,
        **_checkpointing(spec.gradient_checkpointing),
        "learning_rate": spec.learning_rate,
        "lr_scheduler_type": spec.scheduler,
        "optim": OPTIMIZERS[spec.optimizer],
        "weight_decay": spec.weight_decay,
        "max_grad_norm": spec.max_grad_norm,
        "bf16": dtype == torch.bfloat16,
        "fp16": dtype == torch.float16,
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device == "cuda",
        "seed": spec.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_steps": spec.checkpoint_every,
        "save_total_limit": None,
        "disable_tqdm": True,
        "report_to": "none",
    }


def _checkpointing(wanted: bool) -> dict[str, Any]:
    """The setting under the name it has: transformers 5.23 renamed it, TRL's configs set the old one."""
    if any(field.name == "activation_checkpointing" for field in fields(TrainingArguments)):
        return {"activation_checkpointing": wanted, "gradient_checkpointing": None}
    return {"gradient_checkpointing": wanted}


def _require_bitsandbytes(optimizer: str, device: str) -> None:
    """UnavailableError when this machine cannot run the optimiser."""
    try:
        import bitsandbytes
    except Exception as error:
        raise UnavailableError(
            f"optimizer {optimizer} needs bitsandbytes, which cannot be loaded: {type(error).__name__}",
            remedy="Install rlft_tui[train], or set optimizer to adamw",
        ) from None
    if not hasattr(bitsandbytes.optim, "AdamW8bit"):
        raise UnavailableError(
            f"this bitsandbytes has no optimisers for {device}", remedy="Set optimizer to adamw"
        )
