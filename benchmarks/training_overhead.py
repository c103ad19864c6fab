"""What training through the workbench costs: the dpo job against the same TRL call in a bare script.

Both train SmolLM2-135M with the same settings, data, checkpoints and logging; samples and
held-out evaluation, which a bare script would not make, are off. Runs alternate
bare, job, job, bare, so that a drift of the machine's load falls on both. The ratio of CPU
seconds of the whole process is the figure least disturbed by neighbours.

python -m benchmarks.training_overhead [ROUNDS] [STEPS]
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks._small_model_runs import run_python, shorter_chosen, small_model, write_rows
from rlft_tui.errors import RlftError
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_spec import ModelSource, write_spec
from rlft_tui.runs.specs.dpo import DpoSpec


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the whole process, and wall seconds of the training loop alone."""

    cpu: float
    train_wall: float
    losses: list[float]


def make_folder(root: Path, steps: int) -> Path:
    """A run folder over the shipped pairs, the shorter answer chosen."""
    model = small_model()
    (root / "dataset").mkdir(parents=True)
    write_rows(shorter_chosen(), root / "dataset" / "train.jsonl")
    (root / "dataset" / "heldout.jsonl").write_text("")
    spec = DpoSpec(
        id="overhead",
        model=ModelSource(name="smollm2-135m", path=str(model)),
        dataset="",
        max_steps=steps,
        batch_size=2,
        max_length=192,
        checkpoint_every=max(1, steps // 2),
        sample_every=0,
        evaluate=False,
        threads=int(os.environ.get("OMP_NUM_THREADS", "0")),
    )
    write_spec(spec, root / "run.toml")
    return root


def run(arguments: list[str]) -> float:
    """CPU seconds, user and system, of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The job makes idle threads sleep; the bare script gets the same, for a fair comparison.
    done = run_python(arguments, OMP_WAIT_POLICY="PASSIVE")
    if done.returncode:
        raise RlftError(f"{arguments[-2]} failed: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bare(root: Path, steps: int) -> Cost:
    folder = make_folder(root, steps)
    cpu = run([str(Path(__file__).parent / "_bare_dpo.py"), str(folder)])
    record = json.loads((folder / "bare.json").read_text())
    return Cost(cpu, record["train_runtime"], record["losses"])


def job(root: Path, steps: int) -> Cost:
    folder = make_folder(root, steps)
    cpu = run(["-m", "rlft_tui.jobs.dpo", str(folder)])
    rows = [e.fields["values"] for e in EventReader(folder / "events.jsonl").read() if e.kind == "metrics"]
    losses = [row["loss"] for row in rows if "loss" in row]
    return Cost(cpu, next(row["train_runtime"] for row in rows if "train_runtime" in row), losses)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    cpu_ratios, wall_ratios, costs = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            order = [bare, job, job, bare]
            four = [each(Path(scratch) / f"{number}-{i}", steps) for i, each in enumerate(order)]
            bares, jobs = (four[0], four[3]), (four[1], four[2])
            if any(max(map(abs, map(float.__sub__, c.losses, bares[0].losses))) > 1e-3 for c in jobs):
                raise RlftError("the job and the bare script did not train the same")
            cpu_ratios.append(sum(c.cpu for c in jobs) / sum(c.cpu for c in bares))
            wall_ratios.append(sum(c.train_wall for c in jobs) / sum(c.train_wall for c in bares))
            costs += [(bares, jobs)]
    print(f"{rounds} rounds of bare, job, job, bare; {steps} DPO steps each, losses equal to 1e-3.\n")
    print("| | bare TRL script | through the job | ratio (median) |")
    print("|---|---|---|---|")
    for label, ratios, value in (
        ("CPU seconds, whole process", cpu_ratios, lambda c: c.cpu),
        ("wall seconds, training loop", wall_ratios, lambda c: c.train_wall),
    ):
        b = statistics.median(value(c) for bares, _ in costs for c in bares)
        j = statistics.median(value(c) for _, jobs in costs for c in jobs)
        print(f"| {label} | {b:.1f} | {j:.1f} | {statistics.median(ratios):.3f} |")


if __name__ == "__main__":
    main()
