"""The real small model, comparisons to train it on, and jobs in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.paths import cache_folder

_PAIRS = Path(__file__).parent.parent / "data" / "pairs.jsonl"


def small_model() -> Path:
    """SmolLM2-135M's folder; RlftError when it was not pulled."""
    model = cache_folder() / "smollm2-135m"
    if not model.is_dir():
        raise RlftError("no model", where=str(model), remedy="rlft models pull smollm2-135m")
    return model


def shorter_chosen() -> list[dict[str, Any]]:
    """The pairs that ship with the program as comparisons, the shorter answer of each chosen."""
    rows = []
    for line in _PAIRS.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        answers = sorted((pair["response_a"], pair["response_b"]), key=len)
        turns = [[{"role": "assistant", "content": answer}] for answer in answers]
        prompt = [{"role": "user", "content": pair["prompt"]}]
        rows.append({"prompt": prompt, "chosen": turns[0], "rejected": turns[1]})
    return rows


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_python(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """``python ARGUMENTS`` off the network, whatever comes of it."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run_job(name: str, folder: Path) -> None:
    """A job on a run folder; RlftError with its last line when it fails."""
    done = run_python(["-m", f"rlft_tui.jobs.{name}", str(folder)])
    if done.returncode:
        raise RlftError(f"{name} failed: {(done.stderr.splitlines() or ['no message'])[-1]}")
