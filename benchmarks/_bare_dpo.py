"""The same TRL call as the dpo job makes, in a script without the workbench: RUN_DIR."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import DPOConfig, DPOTrainer

from rlft_tui.jobs.model_loading import choose_dtype
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.specs.dpo import DpoSpec

folder = Path(sys.argv[1])
spec = read_spec(folder / "run.toml")
assert isinstance(spec, DpoSpec)
if spec.threads:
    torch.set_num_threads(spec.threads)
set_seed(spec.seed)
dtype = choose_dtype(spec.precision, "cpu")
rows = [json.loads(line) for line in (folder / "dataset" / "train.jsonl").read_text().splitlines()]
trainer = DPOTrainer(
    model=AutoModelForCausalLM.from_pretrained(spec.model.path, dtype=dtype),
    args=DPOConfig(
        output_dir=str(folder / "bare"),
        max_steps=spec.max_steps,
        per_device_train_batch_size=spec.batch_size,
        gradient_accumulation_steps=spec.gradient_accumulation,
        learning_rate=spec.learning_rate,
        warmup_steps=round(spec.warmup_fraction * spec.max_steps),
        lr_scheduler_type="linear",
        max_grad_norm=spec.max_grad_norm,
        beta=spec.beta,
        max_length=spec.max_length,
        precompute_ref_log_probs=spec.max_steps * spec.batch_size > 3 * len(rows),
        bf16=dtype == torch.bfloat16,
        use_cpu=True,
        gradient_checkpointing=False,
        seed=spec.seed,
        logging_steps=1,
        save_steps=spec.checkpoint_every,
        report_to="none",
    ),
    train_dataset=load_dataset("json", data_files=str(folder / "dataset" / "train.jsonl"), split="train"),
    processing_class=AutoTokenizer.from_pretrained(spec.model.path),
    peft_config=LoraConfig(
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    ),
)
trainer.train()
trainer.save_model(str(folder / "bare" / "final"))
losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
(folder / "bare.json").write_text(json.dumps({"losses": losses, **trainer.state.log_history[-1]}))
