"""What the trainer will see: the token check, run in its own process and shown as text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from rlft_tui.cli.session import fields, table
from rlft_tui.datasets.dataset import Dataset
from rlft_tui.errors import RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.pull import require_training_stack
from rlft_tui.tui.widgets.harmless import harmless, harmless_line

LENGTHS = ("prompt", "chosen", "rejected", "longest")


def check_tokens(dataset: Dataset, model: Model, *, rows: int, max_length: int) -> dict[str, Any]:
    """The report of jobs/token_check.py as plain values; RlftError when it cannot be made."""
    require_training_stack()
    path = model.base_path if model.kind == "adapter" else model.path
    command = [sys.executable, "-P", "-m", "rlft_tui.jobs.token_check", dataset.path, path, str(max_length)]
    done = subprocess.run(
        [*command, "--rows", str(rows)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RlftError(said[-1] if said else f"the token check ended with exit code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return {"dataset": dataset.hash, **report}


def token_text(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    return "\n\n".join([*_head(report), *(_row(row) for row in report["rows"]), *_verdict(report)])


def _head(report: dict[str, Any]) -> Iterator[str]:
    checked = ", ".join(f"{count} {name}" for name, count in report["checked"].items())
    yield fields(
        [
            ("data set", report["dataset"]),
            ("model", report["model"]),
            ("rows checked", checked),
            ("max length", f"{report['max_length']} tokens"),
            ("cut", f"{report['truncated']} rows"),
            ("left out", f"{report['dropped']} rows: the prompt alone fills the maximum length"),
            ("without end", f"{report['without_eos']} rows have an answer without {report['eos_token']}"),
            ("end token", report["eos_token"]),
            ("padding", report["pad_token"]),
        ]
    )
    yield "chat template:\n" + "\n".join(f"  {line}" for line in harmless(report["template"]).splitlines())
    yield table(
        ("tokens", "least", "median", "95 %", "most"),
        [
            (name, *(report["lengths"][name][key] for key in ("min", "median", "p95", "max")))
            for name in LENGTHS
        ],
    )


def _row(row: dict[str, Any]) -> str:
    """One comparison: the prompt once, then both answers, tokens parted by │."""
    prompt = [token for token in row["chosen"]["tokens"] if not token["loss"]]
    lines = [
        f"{row['file']}.jsonl:{row['row']}",
        f"  prompt, {row['prompt_tokens']} tokens, not counted by the loss:",
        f"    {_tokens(prompt)}",
    ]
    for side in ("chosen", "rejected"):
        answer = row[side]
        counted = [token for token in answer["tokens"] if token["loss"]]
        notes = f"{answer['answer_tokens']} tokens, counted by the loss"
        notes += ", ends" if answer["eos"] else ", NO END TOKEN"
        notes += ", CUT" if answer["truncated"] else ""
        lines += [f"  {side}, {notes}:", f"    {_tokens(counted)}"]
    return "\n".join(lines)


def _tokens(tokens: list[dict[str, Any]]) -> str:
    return "│".join(harmless_line(token["text"]) for token in tokens) or "(nothing is left)"


def _verdict(report: dict[str, Any]) -> Iterator[str]:
    lines = [f"error: {line}" for line in report["errors"]]
    lines += [f"warning: {line}" for line in report["warnings"]]
    yield "\n".join(lines) or "Nothing wrong was found."
