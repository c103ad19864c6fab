"""What a script that knows only TRL makes of a run folder: the losses that the job must repeat.

Written from TRL's own documentation, not with the job's code: it reads the settings and the rows,
and hands TRL the rows as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, set_seed

from rlft_tui.runs.run_folder import RunFolder

Row = dict[str, Any]
TrainerOf = Callable[[dict[str, Any], dict[str, Any], list[Row], dict[str, Any]], Any]


def bare_losses(folder: RunFolder, trainer_of: TrainerOf) -> list[float]:
    """The loss at each step. ``trainer_of(spec, arguments, rows, parts)`` makes the trainer; parts are
    its model, processing_class and peft_config."""
    import tomllib

    spec = tomllib.loads(folder.spec.read_text())
    rows = [json.loads(line) for line in (folder.dataset / "train.jsonl").read_text().splitlines()]
    torch.set_num_threads(spec["threads"] or 1)
    set_seed(spec["seed"])
    arguments = {
        "output_dir": str(folder.root / "bare"),
        "per_device_train_batch_size": spec["batch_size"],
        "gradient_accumulation_steps": spec["gradient_accumulation"],
        "gradient_checkpointing": spec["gradient_checkpointing"],
        "learning_rate": spec["learning_rate"],
        "lr_scheduler_type": spec["scheduler"],
        "weight_decay": spec["weight_decay"],
        "max_grad_norm": spec["max_grad_norm"],
        "bf16": spec["precision"] == "bf16",
        "use_cpu": True,
        "seed": spec["seed"],
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    if spec["max_steps"]:
        arguments |= {
            "max_steps": spec["max_steps"],
            "warmup_steps": round(spec["warmup_fraction"] * spec["max_steps"]),
        }
    else:
        arguments |= {"num_train_epochs": spec["epochs"], "warmup_steps": spec["warmup_fraction"]}
    if spec["optimizer"] != "adamw":
        arguments["optim"] = spec["optimizer"]
    trainer = trainer_of(spec, arguments, rows, _parts(spec))
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def _parts(spec: dict[str, Any]) -> dict[str, Any]:
    path, lora = spec["model"]["path"], spec["lora"]
    full = spec["adaptation"] == "full"
    bf16 = spec["precision"] == "bf16"
    dtype = torch.bfloat16 if bf16 and not full else torch.float32
    quantized: dict[str, Any] = {}
    if spec["quantization"] == "nf4":
        quantized["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if spec["quantization"] == "int8":
        quantized["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **quantized)
    peft_config = LoraConfig(
        r=lora["r"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        use_dora=lora["kind"] == "dora",
        use_rslora=lora["kind"] == "rslora",
        target_modules="all-linear" if lora["targets"] == "auto" else lora["targets"].split(","),
        task_type="CAUSAL_LM",
    )
    if spec["model"]["adapter"]:
        model = PeftModel.from_pretrained(model, spec["model"]["adapter"], is_trainable=True)
    return {
        "model": model,
        "processing_class": AutoTokenizer.from_pretrained(path),
        "peft_config": None if full or spec["model"]["adapter"] else peft_config,
    }


def sft(spec: dict[str, Any], arguments: dict[str, Any], rows: list[Row], parts: dict[str, Any]) -> Any:
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        args=SFTConfig(
            **arguments,
            max_length=spec["max_length"],
            packing=spec["packing"],
            loss_type=spec["loss_type"],
            completion_only_loss=spec["assistant_only"],
        ),
        train_dataset=Dataset.from_list(
            [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows]
        ),
        **parts,
    )


def dpo(spec: dict[str, Any], arguments: dict[str, Any], rows: list[Row], parts: dict[str, Any]) -> Any:
    from trl import DPOConfig, DPOTrainer

    weighted = spec["sft_weight"] > 0
    passes = spec["max_steps"] * spec["batch_size"] * spec["gradient_accumulation"] / len(rows)
    return DPOTrainer(
        args=DPOConfig(
            **arguments,
            max_length=spec["max_length"],
            beta=spec["beta"],
            loss_type=[spec["loss_type"], *(["sft"] if weighted else [])],
            loss_weights=[1.0, spec["sft_weight"]] if weighted else None,
            label_smoothing=spec["label_smoothing"],
            precompute_ref_log_probs={"on": True, "off": False, "auto": passes > 3}[
                spec["precompute_reference"]
            ],
        ),
        train_dataset=Dataset.from_list(rows),
        **parts,
    )


def reward(spec: dict[str, Any], arguments: dict[str, Any], rows: list[Row], parts: dict[str, Any]) -> Any:
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    set_seed(spec["seed"])
    model = AutoModelForSequenceClassification.from_pretrained(
        spec["model"]["path"], num_labels=1, dtype=parts["model"].dtype
    )
    if parts["peft_config"] is not None:
        parts["peft_config"].task_type = "SEQ_CLS"
    return RewardTrainer(
        args=RewardConfig(
            **arguments,
            max_length=spec["max_length"],
            center_rewards_coefficient=spec["center_rewards"] or None,
        ),
        train_dataset=Dataset.from_list(rows),
        **(parts | {"model": model}),
    )


def kto(spec: dict[str, Any], arguments: dict[str, Any], rows: list[Row], parts: dict[str, Any]) -> Any:
    """The order of the rows is the job's own; everything else is TRL's."""
    from trl import KTOConfig, KTOTrainer

    from rlft_tui.datasets.mixed_order import mixed_order
    from rlft_tui.datasets.rows import JudgedRow

    judged = [JudgedRow(row["prompt"], row["completion"], row["label"]) for row in rows]
    ordered = mixed_order(judged, spec["batch_size"], spec["seed"])
    return KTOTrainer(
        args=KTOConfig(
            **arguments,
            max_length=spec["max_length"],
            beta=spec["beta"],
            loss_type=spec["loss_type"],
            desirable_weight=spec["desirable_weight"],
            undesirable_weight=spec["undesirable_weight"],
        ),
        train_dataset=Dataset.from_list(
            [{"prompt": row.prompt, "completion": row.completion, "label": row.label} for row in ordered]
        ),
        **parts,
    )
