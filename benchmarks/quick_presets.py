"""``rlft train METHOD --preset quick`` whole, as a user would type it, on the real small model.

SmolLM2-135M in a workspace of its own with the pairs that ship, labelled by the demo's rule (the shorter
answer wins). Every command is the real one in a process of its own. At the end the policy's weights are
loaded by plain transformers and write a few tokens. Held-out figures are the run's own, before its first
step and after its last.

python -m benchmarks.quick_presets [METHOD[:SETTING=VALUE …] …]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._small_model_runs import run_python, small_model
from rlft_tui.client.connection import connect
from rlft_tui.demo.scripted_labeler import label_queue
from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_spec import TRAINING_METHODS

DATA = Path(__file__).parent.parent / "data"
KINDS = {"sft": "sft", "grpo": "prompts", "rloo": "prompts", "ppo": "prompts"}
"""The others learn from preferences."""

LOAD = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
folder, kind, base = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(base)
row = [{"role": "user", "content": "What is the capital of France?"}]
ids = tokenizer.apply_chat_template(row, add_generation_prompt=True, return_tensors="pt", return_dict=True)
if kind == "reward":
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    print(f"scores {model(**ids).logits[0, 0].item():.2f}")
else:
    model = AutoModelForCausalLM.from_pretrained(folder)
    out = model.generate(**ids, max_new_tokens=8, do_sample=False)
    print(tokenizer.decode(out[0, ids["input_ids"].shape[1]:], skip_special_tokens=True))
"""


class Commands:
    """``rlft`` in one workspace."""

    def __init__(self, workspace: Path) -> None:
        self._place = ["--workspace", str(workspace)]

    def __call__(self, *words: str) -> str:
        """What the command prints; RlftError with its last words when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "rlft_tui.cli.main", *words, *self._place],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.splitlines() or ["nothing said"])[-1]
            raise RlftError(f"rlft {' '.join(words)}: {said}")
        return done.stdout


def prepare(rlft: Commands, workspace: Path) -> None:
    """Pairs, verdicts, and a data set of each kind."""
    subprocess.run(
        [sys.executable, "-m", "rlft_tui.cli.main", "init", str(workspace)], check=True, capture_output=True
    )
    rlft("models", "pull", "smollm2-135m")
    rlft("pairs", "import", str(DATA / "pairs.jsonl"))
    with connect(Workspace(workspace)) as client:
        label_queue(client, "script")
    for kind in ("preference", "sft", "prompts"):
        rlft("data", "build", "--kind", kind, "--name", kind)


def train(rlft: Commands, method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The run as ``rlft runs show --json`` tells it."""
    flags = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", value)]
    printed = rlft(
        *("train", method, "--preset", "quick", "--model", "smollm2-135m", "--yes", "--follow"),
        *("--dataset", KINDS.get(method, "preference")),
        *flags,
    )
    run: dict[str, Any] = json.loads(rlft("runs", "show", printed.split()[0], "--json"))
    return run


def loads(run: dict[str, Any], folder: Path) -> str:
    """What plain transformers makes of the result."""
    kind = "reward" if run["method"] == "reward" else "causal"
    done = run_python(["-c", LOAD, str(folder), kind, str(small_model())])
    if done.returncode:
        raise RlftError(f"{run['id']} does not load", where=done.stderr.strip()[-800:])
    return done.stdout.strip().replace("\n", " ")


def change(run: dict[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(
        f"{key.removeprefix('heldout/')} {run['first'][key]:.3f} → {run['metrics'][key]:.3f}" for key in keys
    )


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    small_model()
    print("SmolLM2-135M, preset quick, 50 steps.\n")
    print("| method | settings | seconds | peak MB | held out, before → after | samples | loaded, it says |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch) / "workspace"
        rlft = Commands(workspace)
        prepare(rlft, workspace)
        for word in sys.argv[1:] or TRAINING_METHODS:
            method, *told = word.split(":")
            run = train(rlft, method, dict(setting.split("=", 1) for setting in told))
            keys = [key for key in run["first"] if key.startswith("heldout/")]
            samples = (Path(run["path"]) / "events.jsonl").read_text().count('"kind": "sample"')
            print(
                f"| {method} | {', '.join(told) or 'LoRA'} | {run['ended'] - run['started']:.0f} "
                f"| {run['memory_mb']:.0f} | {change(run, keys)} | {samples} "
                f"| {loads(run, Path(run['path']) / 'model')} |",
                flush=True,
            )
        rlft("server", "stop")


if __name__ == "__main__":
    main()
