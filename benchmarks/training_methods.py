"""Every method on the real small model: what it learns, how long it takes, what memory it needs.

SmolLM2-135M on the pairs that ship with the program, the shorter answer of each counted as
chosen: a rule that can be learnt. A fifth of the pairs is held out. Each run is the job itself,
in its own process; seconds are those of the training loop, memory is the process's peak.

python -m benchmarks.training_methods [STEPS] [METHOD[:SETTING=VALUE …] …]
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._small_model_runs import run_job, shorter_chosen, small_model, write_rows
from rlft_tui.metrics.alarms.heldout_falling import HELD_OUT
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import TRAINING_METHODS, parse_spec, write_spec

QUICK = {
    "learning_rate": 1e-4,
    "batch_size": 4,
    "max_length": 256,
    "sample_every": 0,
    "checkpoint_every": 1000,
    "threads": int(os.environ.get("OMP_NUM_THREADS", "0")),
}


@dataclass(frozen=True)
class Result:
    """One run."""

    seconds: float
    memory_mb: float
    key: str
    before: float
    after: float
    loss: tuple[float, float]


def make_folder(root: Path, values: dict[str, Any]) -> RunFolder:
    """A run folder over the shipped pairs."""
    model = small_model()
    folder = RunFolder(root)
    folder.dataset.mkdir(parents=True)
    rows = shorter_chosen()
    cut = len(rows) // 5
    for name, part in (("heldout", rows[:cut]), ("train", rows[cut:])):
        write_rows(part, folder.dataset / f"{name}.jsonl")
    source = {"name": "smollm2-135m", "path": str(model)}
    spec = parse_spec({"id": root.name, "model": source, "dataset": "shipped", **values})
    write_spec(spec, folder.spec)
    return folder


def run(folder: RunFolder, method: str) -> Result:
    """Train in a process of its own; RlftError with the job's last line when it fails."""
    run_job(method, folder.root)
    events = list(EventReader(folder.events).read())
    rows = [event.fields for event in events if event.kind == "metrics"]
    measured = [row["values"] for row in rows if any(key in row["values"] for key, _ in HELD_OUT)]
    key = next(key for key, _ in HELD_OUT if key in measured[0])
    losses = [row["values"]["loss"] for row in rows if "loss" in row["values"]]
    return Result(
        # PPO, which is no trainer of TRL's, has no such row.
        seconds=next(
            (row["values"]["train_runtime"] for row in rows if "train_runtime" in row["values"]),
            events[-1].t - events[0].t,
        ),
        memory_mb=max(row["memory_mb"] for row in rows),
        key=key,
        before=measured[0][key],
        after=measured[-1][key],
        loss=(losses[0], losses[-1]),
    )


def plans(arguments: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """``dpo:quantization=nf4`` and so on; every method with LoRA when none is named."""
    found = []
    for argument in arguments or TRAINING_METHODS:
        method, *settings = argument.split(":")
        found.append((method, dict(setting.split("=", 1) for setting in settings)))
    return found


def told(settings: dict[str, Any]) -> str:
    """Settings of a plan in the table."""
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "LoRA"


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(f"SmolLM2-135M, {steps} steps, on the shipped pairs.\n")
    print("| method | settings | s a step | peak MB | first and last loss | held out, before | after |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for number, (method, settings) in enumerate(plans(sys.argv[2:])):
            values: dict[str, Any] = {"method": method, "max_steps": steps, **QUICK, **settings}
            if method == "reward":
                del values["sample_every"]
            result = run(make_folder(Path(scratch) / str(number), values), method)
            print(
                f"| {method} | {told(settings)} | {result.seconds / steps:.2f} | {result.memory_mb:.0f} "
                f"| {result.loss[0]:.3f}, {result.loss[1]:.3f} "
                f"| {result.key.removeprefix('heldout/')} {result.before:.3f} | {result.after:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
