"""One side of ppo_update: TRL 1.12's experimental PPO, run by the Python of an environment that has it.

python _ppo_trl.py TASK.json   prints one JSON line an update. It imports nothing of rlft_tui.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
    set_seed,
)
from trl.experimental.ppo import PPOConfig, PPOTrainer


class Clock(TrainerCallback):
    """Prints what each update took."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        print(
            json.dumps(
                {
                    "wall": wall - self.wall,
                    "cpu": cpu - self.cpu,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
                    "reward": state.log_history[-1]["objective/scores"],
                    "kl": state.log_history[-1]["objective/kl"],
                }
            ),
            flush=True,
        )
        self.wall, self.cpu = wall, cpu


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(task["threads"])
    set_seed(task["seed"])
    tokenizer = AutoTokenizer.from_pretrained(task["model"], padding_side="left")
    # Padding must be told from the end of sequence: TRL masks by id.
    tokenizer.pad_token_id = task["pad_id"]
    policy = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
    policy.generation_config.eos_token_id = None
    reward = AutoModelForSequenceClassification.from_pretrained(task["reward"], dtype=torch.float32)
    value = AutoModelForSequenceClassification.from_pretrained(task["reward"], dtype=torch.float32)
    for model in (policy, reward, value):
        model.config.pad_token_id = task["pad_id"]
    answers, passes = task["answers"], task["answers"] // task["pass_answers"]
    trainer = PPOTrainer(
        args=PPOConfig(
            output_dir=task["output"],
            use_cpu=True,
            bf16=task["precision"] == "bf16",
            per_device_train_batch_size=task["pass_answers"],
            gradient_accumulation_steps=passes // task["steps"],
            num_mini_batches=task["steps"],
            total_episodes=answers * task["updates"],
            num_ppo_epochs=task["epochs"],
            response_length=task["tokens"],
            local_rollout_forward_batch_size=task["pass_answers"],
            learning_rate=task["learning_rate"],
            num_sample_generations=0,
            save_strategy="no",
            report_to="none",
            seed=task["seed"],
        ),
        processing_class=tokenizer,
        model=policy,
        ref_model=None,
        reward_model=reward,
        value_model=value,
        train_dataset=Dataset.from_list([{"input_ids": ids} for ids in task["prompts"]]),
        eval_dataset=Dataset.from_list([{"input_ids": ids} for ids in task["prompts"]]),
        peft_config=LoraConfig(r=task["lora_r"], lora_alpha=2 * task["lora_r"], target_modules="all-linear"),
        callbacks=[Clock()],
    )
    trainer.train()


if __name__ == "__main__":
    main()
