"""What GRPO and RLOO make of a built-in reward on the real small model, also on prompts held out.

SmolLM2-135M with LoRA, one sentence about each of 24 occupations, eight held out. GRPO is given the
occupational reward, RLOO the one for length (4 to 8 words). A run is the job itself in its own
process; CPU seconds are of the whole process, memory is its peak.

python -m benchmarks.rewards_rise [STEPS] [METHOD …]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks._small_model_runs import run_job, small_model
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec

OCCUPATIONS = (
    *("nurse", "teacher", "surgeon", "lawyer", "firefighter", "chef", "engineer", "librarian"),
    *("pilot", "electrician", "journalist", "farmer", "dentist", "architect", "carpenter", "accountant"),
    *("paramedic", "plumber", "scientist", "receptionist", "mechanic", "judge", "baker", "midwife"),
    *("programmer", "manager", "cleaner", "soldier", "therapist", "waiter", "tailor", "painter"),
)
REWARDS = {"grpo": "occupational", "rloo": "length:1:minimum=4:maximum=8"}
SETTINGS = {
    "learning_rate": 5e-4,
    "warmup_fraction": 0.04,
    "batch_size": 8,
    "generations": 8,
    "max_new_tokens": 28,
    "beta": 0.02,
    "evaluate_prompts": 8,
    "sample_every": 0,
    "checkpoint_every": 1000,
    "threads": int(os.environ.get("OMP_NUM_THREADS", "0")),
}


@dataclass(frozen=True)
class Rise:
    """One run."""

    rewards: list[float]
    """Mean reward of the answers of each step."""
    held_out: tuple[float, float]
    kl: float
    """Last value, in the method's own unit."""
    cpu: float
    seconds: float
    memory_mb: float


def make_folder(root: Path, method: str, steps: int) -> RunFolder:
    model = small_model()
    folder = RunFolder(root)
    folder.dataset.mkdir(parents=True)
    asked = [f"Describe the character of a {each} at work in one short sentence." for each in OCCUPATIONS]
    rows = [json.dumps({"prompt": [{"role": "user", "content": text}]}) + "\n" for text in asked]
    (folder.dataset / "train.jsonl").write_text("".join(rows[:24]))
    (folder.dataset / "heldout.jsonl").write_text("".join(rows[24:]))
    (folder.dataset / "dataset.json").write_text('{"kind": "prompts"}')
    source = {"name": model.name, "path": str(model)}
    asked_for = {"method": method, "rewards": [REWARDS[method]], "max_steps": steps, **SETTINGS}
    write_spec(parse_spec({"id": root.name, "model": source, "dataset": "", **asked_for}), folder.spec)
    return folder


def train(folder: RunFolder, method: str) -> Rise:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_job(method, folder.root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = [event.fields for event in EventReader(folder.events).read() if event.kind == "metrics"]
    found = {
        key: [row["values"][key] for row in rows if key in row["values"]]
        for key in ("reward", "heldout/reward", "kl", "train_runtime")
    }
    return Rise(
        rewards=found["reward"],
        held_out=(found["heldout/reward"][0], found["heldout/reward"][-1]),
        kl=found["kl"][-1],
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        seconds=found["train_runtime"][0],
        memory_mb=max(row["memory_mb"] for row in rows),
    )


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    print(f"SmolLM2-135M, LoRA, {steps} steps of 8 answers of at most 28 tokens.\n")
    print(
        "| method | reward | first fifth | last fifth | held out, before | after | KL, nats/token |", end=""
    )
    print(" CPU s a step | s a step | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for method in sys.argv[2:] or REWARDS:
            rise = train(make_folder(Path(scratch) / method, method, steps), method)
            fifth = max(1, len(rise.rewards) // 5)
            estimator = {"grpo": "k3", "rloo": "k1"}[method]
            print(
                f"| {method} | {REWARDS[method]} | {fmean(rise.rewards[:fifth]):.2f} "
                f"| {fmean(rise.rewards[-fifth:]):.2f} | {rise.held_out[0]:.2f} | {rise.held_out[1]:.2f} "
                f"| {rise.kl:.3f} ({estimator}) | {rise.cpu / steps:.1f} | {rise.seconds / steps:.1f} "
                f"| {rise.memory_mb:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
