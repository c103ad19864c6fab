"""The model a run trains: every weight of it, or adapters on a frozen and perhaps quantised base."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BitsAndBytesConfig
from transformers.modeling_layers import GenericForSequenceClassification

from rlft_tui.errors import RlftError
from rlft_tui.jobs.model_check import check_model_folder
from rlft_tui.jobs.model_loading import check_adapter_folder, first_line
from rlft_tui.jobs.tokenizer_loading import from_pretrained
from rlft_tui.runs.specs.adaptation import Lora, Quantization
from rlft_tui.runs.specs.training import TrainingSpec

Head = Literal["causal", "score"]
"""What sits on the trunk: the next token's logits, or one score."""


def load_trainable(
    spec: TrainingSpec, head: Head, dtype: torch.dtype, device: str, merged: Path | None = None
) -> tuple[Any, LoraConfig | None]:
    """The model on its device, and the new adapter that the trainer is to put on it.

    No new adapter when every weight is trained, or when an adapter is continued: then the
    model is a PeftModel whose adapter trains on. Every weight of a base with an adapter begins
    where both together are; that model is written to ``merged``, for TRL's trainers load the
    reference from where the policy's config says it came from.
    """
    model = load_model(spec.model.path, head, weights_dtype(spec, dtype), device, spec.quantization)
    if not spec.model.adapter:
        return model, lora_config(spec.lora, head, model) if spec.adaptation == "lora" else None
    check_adapter_folder(Path(spec.model.adapter))
    try:
        adapted = PeftModel.from_pretrained(model, spec.model.adapter, is_trainable=spec.adaptation == "lora")
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise RlftError(
            f"the adapter does not fit this base: {first_line(error)}", where=spec.model.adapter
        ) from error
    if spec.adaptation == "lora":
        return adapted, None
    # PEFT had frozen the base.
    whole = adapted.merge_and_unload(safe_merge=True).requires_grad_(True)
    if merged is not None:
        whole.save_pretrained(merged)
        whole.config._name_or_path = str(merged)
    return whole, None


def weights_dtype(spec: TrainingSpec, dtype: torch.dtype) -> torch.dtype:
    """What the weights are held in; ``dtype`` is what is computed in.

    A trained weight is held in float32: the updates of a low learning rate are smaller than
    what bfloat16 can tell apart, and float16's gradients need scaling (Micikevicius et al. 2018).
    """
    return torch.float32 if spec.adaptation == "full" else dtype


def load_model(path: str, head: Head, dtype: torch.dtype, device: str, quantization: Quantization) -> Any:
    """A model without adapter from a folder or hub id."""
    if Path(path).is_dir():
        check_model_folder(Path(path))
    options: dict[str, Any] = {"dtype": dtype}
    factory: Any = AutoModelForCausalLM
    if head == "score":
        factory, options["num_labels"] = AutoModelForSequenceClassification, 1
        # That the checkpoint lacks a score head is the very reason to train one: no news for the log.
        expected: Any = GenericForSequenceClassification
        expected._keys_to_ignore_on_load_missing = [r"^score\.weight$"]
    if quantization != "none":
        options["quantization_config"] = quantization_config(quantization, dtype)
        options["device_map"] = {"": device}
        return _unpacked(from_pretrained(factory, path, **options))
    return from_pretrained(factory, path, **options).to(device)


def _unpacked(model: Any) -> Any:
    """Keep bitsandbytes from repacking 4-bit weights for the CPU when they are first read in evaluation.

    It never undoes that, and computes otherwise with them: held-out measures and samples would
    change what is trained afterwards.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def quantization_config(quantization: Quantization, dtype: torch.dtype) -> BitsAndBytesConfig:
    """NF4 with double quantisation (Dettmers et al. 2023), or LLM.int8() (Dettmers et al. 2022)."""
    if quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def lora_config(lora: Lora, head: Head, model: Any) -> LoraConfig:
    """The adapter as PEFT takes it; RlftError when a target is no linear layer of the model."""
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_dora=lora.kind == "dora",
        use_rslora=lora.kind == "rslora",
        target_modules=_targets(lora.targets, model),
        task_type="SEQ_CLS" if head == "score" else "CAUSAL_LM",
    )


def _targets(wanted: str, model: Any) -> str | list[str]:
    if wanted.strip() == "auto":
        return "all-linear"
    linear = linear_layers(model)
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    unknown = [name for name in names if name not in linear]
    if unknown or not names:
        raise RlftError(
            f"lora.targets: the model has no linear layer {', '.join(unknown) or repr(wanted)}",
            remedy=f"It has {', '.join(linear)}; auto takes them all",
        )
    return names


def linear_layers(model: Any) -> list[str]:
    """Last part of the name of each linear layer but the heads, in the order of the model."""
    heads = {id(model.get_output_embeddings()), id(getattr(model, "score", None))}
    found = {
        name.rpartition(".")[2]: None
        for name, module in model.named_modules()
        # Quantised layers are subclasses of torch's.
        if isinstance(module, torch.nn.Linear) and id(module) not in heads
    }
    return list(found)
