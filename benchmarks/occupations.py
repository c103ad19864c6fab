"""The example of the occupations whole, as its guide has it: train, generate, evaluate, over several seeds.

SmolLM2-135M learns by PPO to describe a person at work in one sentence, from the shipped prompts and settings
(``rlft init --example occupations``). Then the base model, the base model's best of eight (Gen+Filter) and
the policy of each seed write TEXTS answers to each prompt, and all are measured beside one another. Every
command is the real one in a process of its own.

python -m benchmarks.occupations [TEXTS [SEED …]]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quick_presets import Commands
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder

MODEL = "smollm2-135m"
EXAMPLE = "occupations"
REWARD = "rewards/occupational"
"""Without the other rewards that the run learns by."""
BEST_OF = 8
ROWS = 8
"""Rows of the table of a run, at most."""


@dataclass(frozen=True)
class Curve:
    """One run, update by update."""

    policy: str
    rewards: list[float]
    """Mean occupational reward of the answers drawn in an update, before it learns from them."""
    kl: list[float]
    """Nats of an answer, to the base model."""
    held_out: tuple[float, float]
    """Mean reward on prompts that it does not train on, before and after."""
    seconds: float


def train(rlft: Commands, workspace: Path, seed: int) -> Curve:
    policy = f"{EXAMPLE}-{seed}"
    printed = rlft(
        *("train", "ppo", "--dataset", EXAMPLE, "--spec", str(workspace / "ppo.toml"), "--model", MODEL),
        *("--seed", str(seed), "--output-name", policy, "--yes", "--follow"),
    )
    run = json.loads(rlft("runs", "show", printed.split()[0], "--json"))
    events = EventReader(RunFolder(Path(run["path"])).events).read()
    rows = [event.fields["values"] for event in events if event.kind == "metrics"]
    told = [row for row in rows if "kl/sequence" in row]
    held_out = [row[f"heldout/{REWARD}"] for row in rows if f"heldout/{REWARD}" in row]
    return Curve(
        policy,
        [row[f"{REWARD}/mean"] for row in told],
        [row["kl/sequence"] for row in told],
        (held_out[0], held_out[-1]),
        run["ended"] - run["started"],
    )


def show(curves: list[Curve]) -> None:
    print("Mean occupational reward of an update's answers (KL to the base, nats an answer):\n")
    print("| update | " + " | ".join(curve.policy for curve in curves) + " |")
    print("|---" * (len(curves) + 1) + "|")
    updates = min(len(curve.rewards) for curve in curves)
    step = max(1, round(updates / ROWS))
    for at in sorted({0, *range(step - 1, updates, step), updates - 1}):
        cells = (f"{curve.rewards[at]:.2f} ({curve.kl[at]:.1f})" for curve in curves)
        print(f"| {at + 1} | " + " | ".join(cells) + " |")
    for name, figures in (
        ("held-out prompts, before → after", (curve.held_out for curve in curves)),
        ("highest KL", ((max(curve.kl),) for curve in curves)),
        ("minutes", ((curve.seconds / 60,) for curve in curves)),
    ):
        cells = (" → ".join(f"{figure:.2f}" for figure in each) for each in figures)
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(flush=True)


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    texts = sys.argv[1] if len(sys.argv) > 1 else "10"
    seeds = [int(word) for word in sys.argv[2:]] or [0, 1, 2]
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch) / EXAMPLE
        rlft = Commands(workspace)
        subprocess.run(
            [sys.executable, "-m", "rlft_tui.cli.main", "init", str(workspace), "--example", EXAMPLE],
            check=True,
            capture_output=True,
        )
        prompts = str(workspace / f"{EXAMPLE}.jsonl")
        rlft("models", "pull", MODEL)
        rlft("prompts", "import", prompts)
        rlft("data", "build", "--kind", "prompts", "--name", EXAMPLE, "--heldout", "0.2")
        curves = [train(rlft, workspace, seed) for seed in seeds]
        show(curves)
        sets = []
        for name, model, *more in (
            ("base", MODEL),
            ("gen+filter", MODEL, "--best-of", str(BEST_OF), "--reward", "occupational"),
            *((curve.policy, curve.policy) for curve in curves),
        ):
            output = workspace / f"{name}.csv"
            rlft(
                *("generate", "--model", model, "--prompts", prompts, "-n", texts, "--temperature", "1"),
                *("--max-new-tokens", "32", *more, "--output", str(output), "--follow"),
            )
            sets.append(f"{name}={output}")
        print(f"{texts} texts of each of the prompts, at temperature 1:\n")
        print(rlft("eval", "texts", *sets, "--reward", "occupational", "--under", MODEL))
        rlft("server", "stop")


if __name__ == "__main__":
    main()
