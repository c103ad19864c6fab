"""What a setting is called in the form, where sixteen cells have to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlft_tui.runs.spec_fields import SpecField

MOST = 16
"""Cells of a label."""
_LABELS = {
    "dataset": "data set",
    "max_steps": "steps",
    "max_length": "max tokens",
    "max_new_tokens": "answer tokens",
    "batch_size": "batch",
    "mini_batch_size": "mini-batch",
    "gradient_accumulation": "accumulation",
    "gradient_checkpointing": "recompute",
    "warmup_fraction": "warm-up",
    "max_grad_norm": "max grad norm",
    "label_smoothing": "smoothing",
    "desirable_weight": "weight of good",
    "undesirable_weight": "weight of bad",
    "precompute_reference": "reference first",
    "assistant_only": "answers only",
    "checkpoint_every": "checkpoint each",
    "keep_checkpoints": "checkpoints",
    "evaluate_every": "evaluate each",
    "sample_every": "sample each",
    "model_a": "model A",
    "model_b": "model B",
    "normalize_advantages": "normalise",
    "sampling.temperature": "sample temp.",
    "sampling.max_new_tokens": "sample tokens",
    "alarms.nonfinite": "not finite",
    "alarms.nonfinite_patience": "patience",
    "alarms.batch_kl_critical": "batch kl crit.",
    "alarms.token_kl_critical": "token kl crit.",
}
_PARTS = {"lora": "LoRA", "sampling": "sample", "sampling_a": "", "sampling_b": "", "alarms": ""}


def label(field: SpecField) -> str:
    """``LoRA r``, ``temperature A``, ``steps``."""
    part, leaf = field.path[0], field.path[-1]
    if field.name in _LABELS:
        text = _LABELS[field.name]
    elif len(field.path) == 1:
        text = leaf.replace("_", " ")
    else:
        text = f"{_PARTS.get(part, part)} {_LABELS.get(leaf, leaf.replace('_', ' '))}".strip()
    if part.startswith("sampling_"):
        text = f"{text} {part[-1].upper()}"
    return text if len(text) <= MOST else text[: MOST - 1].rstrip() + "."
