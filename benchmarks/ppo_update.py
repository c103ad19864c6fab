"""One PPO update beside TRL 1.12's experimental PPO, the last there was: time, memory, reward and KL.

Both do the same: SmolLM2-135M, LoRA r 16 on every linear layer, a reward model of the same size with
the same random head, the same prompts, answers of the same length, the same epochs, passes and
optimiser steps. TRL adds a value model of that size; here the value head reads the policy's trunk.
Runs alternate, so that a drift of the machine's load falls on both; the ratio of CPU seconds is the
figure least disturbed by neighbours. TRL runs in an environment of its own:

python -m venv trl112 && trl112/bin/pip install trl==1.12.0 transformers==5.17.0 datasets==4.8.5 peft torch
TRL112=trl112/bin/python python -m benchmarks.ppo_update ANSWERS TOKENS EPOCHS ROUNDS UPDATES bf16|fp32
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._small_model_runs import small_model
from rlft_tui.errors import RlftError
from rlft_tui.runs.job_environment import job_environment

HERE = Path(__file__).parent
JOBS = ("nurse", "doctor", "teacher", "engineer", "lawyer", "scientist", "librarian", "chef")


def make_task(
    folder: Path,
    answers: int,
    tokens: int,
    epochs: int,
    updates: int,
    precision: str,
    learning_rate: float = 1e-4,
) -> Path:
    """What both sides are told to do, as a file; and the reward model that both load."""
    from transformers import AutoModelForSequenceClassification, set_seed

    from rlft_tui.jobs.decoding import prompt_ids
    from rlft_tui.jobs.tokenizer_loading import load_tokenizer

    model = small_model()
    tokenizer = load_tokenizer(str(model))
    set_seed(0)
    reward = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1, dtype="float32")
    reward.save_pretrained(folder / "reward")
    tokenizer.save_pretrained(folder / "reward")
    prompts = [
        prompt_ids(
            tokenizer, [{"role": "user", "content": f"Write one sentence describing a {job} at work."}]
        )
        for job in JOBS
    ]
    task = {
        "model": str(model),
        "reward": str(folder / "reward"),
        "output": str(folder / "output"),
        "prompts": [prompts[place % len(prompts)] for place in range(answers)],
        # A token that no answer has; TRL masks by id.
        "pad_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "answers": answers,
        "tokens": tokens,
        "epochs": epochs,
        # An optimiser step is one pass on both sides.
        "pass_answers": max(1, answers // 2),
        "steps": 2,
        "updates": updates,
        "lora_r": 16,
        "learning_rate": learning_rate,
        "precision": precision,
        "threads": 1,
        "seed": 1,
    }
    path = folder / "task.json"
    path.write_text(json.dumps(task), encoding="utf-8")
    return path


def sides() -> dict[str, list[str]]:
    """How each side is started; the task's path comes last."""
    trl = os.environ.get("TRL112", "")
    if not Path(trl).is_file():
        raise RlftError("no environment with TRL 1.12", where="TRL112", remedy="See benchmarks/ppo_update.py")
    return {
        "TRL 1.12": [trl, str(HERE / "_ppo_trl.py")],
        "rlft": [sys.executable, "-m", "benchmarks._ppo_own"],
    }


def run(command: list[str]) -> list[dict[str, Any]]:
    """The JSON lines that one side prints; ours is started as a run's job is, the other as it comes."""
    ours = command[0] == sys.executable
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={
            **(job_environment() if ours else os.environ),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "TQDM_DISABLE": "1",
        },
    )
    if done.returncode:
        raise RlftError(f"{command[1]} failed", where=done.stderr.strip()[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    answers, tokens, epochs, rounds, updates = (*numbers, *(16, 48, 4, 2, 2)[len(numbers) :])
    precision = "fp32" if "fp32" in sys.argv else "bf16"
    commands = sides()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    roofline: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        task = make_task(Path(folder), answers, tokens, epochs, updates, precision)
        for turn in range(rounds):
            for name in list(commands) if turn % 2 == 0 else reversed(commands):
                lines = run([*commands[name], str(task)])
                found[name] += [line for line in lines if "wall" in line]
                roofline |= next((line for line in lines if "flops" in line), {})
    print(
        f"{answers} answers of {tokens} tokens, {epochs} epochs, {precision}; a side runs {rounds} times, "
        f"{updates} updates each\n"
    )
    print("| | CPU s an update | wall s an update | peak MB | reward, last | KL, last |")
    print("|---|---|---|---|---|---|")
    middle = {}
    for name, lines in found.items():
        cpu, wall = (statistics.median(line[key] for line in lines) for key in ("cpu", "wall"))
        peak = max(line["peak_mb"] for line in lines)
        middle[name] = cpu, wall, peak
        print(
            f"| {name} | {cpu:.1f} | {wall:.1f} | {peak:.0f} | {lines[-1]['reward']:.3f} "
            f"| {lines[-1]['kl']:.3f} |"
        )
    theirs, ours = middle["TRL 1.12"], middle["rlft"]
    print(
        f"\nrlft: {theirs[0] / ours[0]:.1f} times faster by CPU seconds, {theirs[1] / ours[1]:.1f} by wall, "
        f"{ours[2] / theirs[2]:.0%} of the memory."
    )
    ideal = roofline["flops"] / roofline["flops_per_second"]
    print(
        f"Roofline: an update multiplies {roofline['flops'] / 1e12:.2f} TFLOP, {ideal:.1f} CPU s at the "
        f"{roofline['flops_per_second'] / 1e9:.0f} GFLOP/s measured for one layer's product: "
        f"{ideal / ours[0]:.0%} of the time it takes."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
