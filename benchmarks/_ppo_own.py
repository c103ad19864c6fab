"""The other side of ppo_update: this package's trainer on the same task, and a count of its work.

python -m benchmarks._ppo_own TASK.json   prints one JSON line an update, then one with the roofline.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import set_seed

from rlft_tui.jobs.grouped_attention import use_grouped_attention
from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.building import build_policy
from rlft_tui.jobs.ppo.rollout import Rollout
from rlft_tui.jobs.ppo.trainer import Trainer
from rlft_tui.jobs.reward_scoring import scores_of
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.jobs.trainable import load_model
from rlft_tui.runs.specs.adaptation import Lora
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.ppo import PpoSpec


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(task["threads"])
    set_seed(task["seed"])
    dtype = torch.bfloat16 if task["precision"] == "bf16" else torch.float32
    spec = PpoSpec(
        id="benchmark",
        model=ModelSource(name="benchmark", path=task["model"]),
        dataset="",
        lora=Lora(r=task["lora_r"], alpha=2 * task["lora_r"]),
        max_steps=task["updates"],
        batch_size=task["answers"],
        mini_batch_size=task["pass_answers"],
        gradient_accumulation=task["answers"] // task["pass_answers"] // task["steps"],
        ppo_epochs=task["epochs"],
        max_new_tokens=task["tokens"],
        learning_rate=task["learning_rate"],
        value_learning_rate=task["learning_rate"],
        adaptive_kl=False,
        seed=task["seed"],
        threads=task["threads"],
    )
    tokenizer = load_tokenizer(task["model"])
    policy = build_policy(spec, task["pad_id"], dtype, "cpu", Path(task["output"]))
    reward = load_model(task["reward"], "score", dtype, "cpu", "none").eval()
    use_grouped_attention(reward)
    reward.config.pad_token_id = task["pad_id"]
    rollout = Rollout(policy, tokenizer, max_new_tokens=task["tokens"], rows=task["answers"], seed=spec.seed)
    # Every answer is as long as the other side's.
    rollout.ends = frozenset()

    def judge(answers: Sequence[Answer]) -> list[Rewarded]:
        ids = [answer.prompt + answer.response for answer in answers]
        return [Rewarded(score, {}) for score in scores_of(reward, ids, task["pad_id"], task["pass_answers"])]

    trainer = Trainer(policy, rollout, judge, task["prompts"], spec, task["updates"])
    for _ in range(task["updates"]):
        wall, cpu = time.perf_counter(), time.process_time()
        update = trainer.update()
        assert update is not None
        print(
            json.dumps(
                {
                    "wall": time.perf_counter() - wall,
                    "cpu": time.process_time() - cpu,
                    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
                    "reward": float(update.scores.mean()),
                    "kl": update.experience.kl_per_sequence,
                    "phases": update.seconds,
                }
            ),
            flush=True,
        )
        del update
    with FlopCounterMode(display=False) as counted:
        trainer.update()
    print(json.dumps({"flops": counted.get_total_flops(), "flops_per_second": matmul_rate(dtype)}))


def matmul_rate(dtype: torch.dtype) -> float:
    """Best rate, a CPU second, of the model's commonest product: 512 tokens through an MLP layer."""
    tokens, weight = torch.randn(512, 576).to(dtype), torch.randn(1536, 576).to(dtype)
    best = float("inf")
    for _ in range(20):
        began = time.process_time()
        for _ in range(10):
            torch.nn.functional.linear(tokens, weight)
        best = min(best, (time.process_time() - began) / 10)
    return 2 * 512 * 576 * 1536 / best


if __name__ == "__main__":
    main()
