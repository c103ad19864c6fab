"""Whether a run's losses are those of a script that knows only TRL, on the real small model.

SmolLM2-135M with LoRA and the same seed, both in fp32: once the job in its own process, once the bare
script that the tests keep (tests/jobs/bare_trl.py, bare_online.py) in another. Goal: every loss the same
to 1e-4.

python -m benchmarks.bare_losses [STEPS] [METHOD[:SETTING=VALUE …] …]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._small_model_runs import run_job, run_python, shorter_chosen, write_rows
from benchmarks.training_methods import make_folder, plans, told
from rlft_tui.errors import RlftError
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from tests.jobs import bare_online, bare_trl

TRAINERS: dict[str, bare_trl.TrainerOf] = {
    "sft": bare_trl.sft,
    "reward": bare_trl.reward,
    "dpo": bare_trl.dpo,
    "kto": bare_trl.kto,
    "grpo": bare_online.grpo,
    "rloo": bare_online.rloo,
}
SETTINGS = {
    "learning_rate": 1e-4,
    "batch_size": 2,
    "max_length": 256,
    "precision": "fp32",
    "checkpoint_every": 1000,
    "threads": 1,
}
ONLINE = {
    "batch_size": 8,
    "generations": 4,
    "max_new_tokens": 24,
    "rewards": bare_online.REWARDS,
    "evaluate_prompts": 4,
}
# At the first step on its answers the loss is their mean advantage, about 0 whatever was drawn.
OWN: dict[str, dict[str, Any]] = {"grpo": {"beta": 0.02, "iterations": 2}, "rloo": {"iterations": 2}}


def plan(method: str, steps: int, settings: dict[str, Any]) -> dict[str, Any]:
    """The spec's values."""
    values = {"method": method, "max_steps": steps, **SETTINGS, **settings}
    if method in ("grpo", "rloo"):
        values = {**values, **ONLINE, **OWN.get(method, {}), **settings}
    if method == "kto":
        values["batch_size"] = max(2, int(values["batch_size"]))
    return values if method == "reward" else {**values, "sample_every": 0}


def put_rows(folder: RunFolder, method: str) -> None:
    """The rows as the bare script of a method reads them."""
    if method == "kto":
        rows = [
            {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
            for row in shorter_chosen()
            for side in ("chosen", "rejected")
        ]
        (folder.dataset / "dataset.json").write_text('{"kind": "unpaired"}')
        write_rows(rows[:40], folder.dataset / "heldout.jsonl")
        write_rows(rows[40:], folder.dataset / "train.jsonl")
    if method in ("grpo", "rloo"):
        folder.rewards.mkdir()
        (folder.rewards / "letters.py").write_text(bare_online.LETTERS)


def own_losses(folder: RunFolder) -> list[float]:
    rows = [event.fields["values"] for event in EventReader(folder.events).read() if event.kind == "metrics"]
    return [row["loss"] for row in rows if "loss" in row]


def bare(method: str, root: Path) -> list[float]:
    """The other side, in a process of its own."""
    done = run_python(["-m", "benchmarks.bare_losses", "--bare", method, str(root)])
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    if done.returncode or not lines:
        raise RlftError(f"the bare {method} script failed", where=done.stderr.strip()[-1500:])
    losses: list[float] = json.loads(lines[-1])
    return losses


def main() -> None:
    if sys.argv[1:2] == ["--bare"]:
        print(json.dumps(bare_trl.bare_losses(RunFolder(Path(sys.argv[3])), TRAINERS[sys.argv[2]])))
        return
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    steps = numbers[0] if numbers else 8
    chosen = [word for word in sys.argv[1:] if not word.isdigit()] or list(TRAINERS)
    print(f"SmolLM2-135M, fp32, {steps} steps, the same seed.\n")
    print("| method | settings | losses of the run, first and last | largest difference from bare TRL |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for number, (method, settings) in enumerate(plans(chosen)):
            folder = make_folder(Path(scratch) / str(number), plan(method, steps, settings))
            put_rows(folder, method)
            run_job(method, folder.root)
            ours, theirs = own_losses(folder), bare(method, folder.root)
            if len(ours) != len(theirs):
                raise RlftError(f"{method}: {len(ours)} losses here, {len(theirs)} there")
            worst = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
            print(
                f"| {method} | {told(settings)} | {ours[0]:.4f}, {ours[-1]:.4f} | {worst:.1e} |", flush=True
            )


if __name__ == "__main__":
    main()
