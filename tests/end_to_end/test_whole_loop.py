"""Once round the loop through the command line alone: every process is the real one, the model tiny."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.paths import Workspace
from tests.conftest import stop_server, wait_for
from tests.tiny_model import make_tiny_model

PROMPTS = [{"prompt": f"Say something about {thing}.", "category": "talk"} for thing in "abcdefghijkl"]


class Rlft:
    """The ``rlft`` command in one workspace, as a shell would run it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __call__(self, *words: str, code: int = 0) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "rlft_tui.cli.main", "-w", str(self.workspace.root), *words],
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert run.returncode == code, f"{words}: {run.returncode}\n{run.stdout}\n{run.stderr}"
        assert "Traceback" not in run.stderr
        return run.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def rlft(workspace: Workspace) -> Rlft:
    return Rlft(workspace)


def test_prompts_become_pairs_labels_a_model_and_pairs_again(rlft: Rlft, tmp_path: Path) -> None:
    tiny = make_tiny_model(tmp_path / "tiny")
    (tmp_path / "prompts.jsonl").write_text("\n".join(json.dumps(row) for row in PROMPTS))
    small = ["--threads", "1", "--precision", "fp32"]

    rlft("models", "pull", str(tiny))
    assert rlft.json("prompts", "import", str(tmp_path / "prompts.jsonl"))["imported"] == len(PROMPTS)

    sides = ["--model-a", "tiny", "--model-b", "tiny", "--temperature-b", "1.5"]
    short = ["--max-new-tokens-a", "8", "--max-new-tokens-b", "8"]
    made = rlft("pairs", "generate", *sides, *short, *small, "--follow").split()[0]
    assert rlft.json("runs", "show", made)["status"] == "finished"
    pairs = rlft.json("pairs", "list")["pairs"]
    assert len(pairs) == len(PROMPTS)

    for number, pair in enumerate(pairs):
        rlft("labels", "add", pair["id"], "--choice", "ab"[number % 2], "--as", "ada")
    stats = rlft.json("labels", "stats")
    assert (stats["total"], stats["by_labeler"]) == (len(PROMPTS), {"ada": len(PROMPTS)})

    dataset = rlft.json("data", "build", "--name", "first")
    assert dataset["train_rows"] + dataset["heldout_rows"] + sum(dataset["left_out"].values()) == len(PROMPTS)
    assert "<|im_start|>" in rlft("data", "check", "first", "--model", "tiny")

    steps = ["--max-steps", "3", "--batch-size", "2", "--sample-every", "2", "--sampling-max-new-tokens", "4"]
    trained = rlft("train", "dpo", "--model", "tiny", *steps, *small, "--follow", "--yes").split()[0]
    run = rlft.json("runs", "show", trained, "--series", "loss")
    assert (run["status"], run["step"], run["dataset"]) == ("finished", 3, dataset["hash"])
    assert [step for step, _ in run["series"]] == [1, 2, 3]
    assert {"kl/sequence", "rewards/margins", "rewards/accuracies"} <= set(run["metrics"])
    assert trained in {model["name"] for model in rlft.json("models", "list")}

    sides = ["--model-a", "tiny", "--model-b", trained]
    again = rlft("pairs", "generate", *sides, "-n", "3", *short, *small, "--follow")
    fresh = [p for p in rlft.json("pairs", "list")["pairs"] if p["source"] == f"run:{again.split()[0]}"]
    assert [(pair["model_a"], pair["model_b"]) for pair in fresh] == [("tiny", trained)] * 3
    for pair in fresh:
        rlft("labels", "add", pair["id"], "--choice", "b", "--as", "ada")
    (rating,) = [r for r in rlft.json("models", "ratings", "--against", "tiny") if r["model"] == trained]
    assert (rating["wins"], rating["losses"], rating["win_rate"]) == (3, 0, 100.0)


def test_a_run_outlives_the_server_that_started_it(rlft: Rlft, tmp_path: Path) -> None:
    tiny = make_tiny_model(tmp_path / "tiny")
    (tmp_path / "prompts.jsonl").write_text("\n".join(json.dumps(row) for row in PROMPTS))
    rlft("models", "pull", str(tiny))
    rlft("prompts", "import", str(tmp_path / "prompts.jsonl"))
    sides = ["--model-a", "tiny", "--model-b", "tiny", "--temperature-b", "1.5"]
    made = rlft("pairs", "generate", *sides, "--threads", "1").split()[0]
    stop_server(rlft.workspace)
    wait_for((rlft.workspace.runs / made / "exit.json").exists, "the run to end without a server", 120)
    run = rlft.json("runs", "show", made)
    assert (run["status"], run["step"]) == ("finished", len(PROMPTS))
    assert rlft.json("pairs", "list")["total"] == len(PROMPTS)
