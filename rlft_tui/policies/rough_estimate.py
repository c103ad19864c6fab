"""How long a policy's training may take, before anything of it has been run.

Finished PPO runs of the same model tell it best: their seconds an update, by the answers of one. Where
there are none it is arithmetic: the multiplications that a transformer needs (2 a parameter and token
forward, twice that backward; Kaplan et al. 2020, section 2.1) over a rate that such hardware reaches.
Good for telling minutes from hours; ``rlft train ppo --dry-run`` measures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rlft_tui.policies.training_config import TrainingConfig, ppo_values, reward_values
from rlft_tui.record import Record
from rlft_tui.runs.run_status import RunSummary

CPU_CORE_FLOPS = 20e9
"""Multiplications and additions a second that a core reaches in float32, generation's waiting included."""
GPU_FLOPS = 30e12
LOADING_SECONDS = 15.0
"""Of each of the two runs: imports, model, measures before and after, saving."""
PROMPT_TOKENS = 60
ANSWER_TOKENS = 60
_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1}


class PastRun(Record, frozen=True):
    """A PPO run that has finished."""

    summary: RunSummary
    spec: dict[str, Any]


def estimated_minutes(
    config: TrainingConfig, model: Path, rows: int, past: Iterable[PastRun], *, gpu: bool
) -> float:
    """Both runs together, without waiting in line. ``rows``: scored answers. ``past``: any PPO runs."""
    ppo, reward = ppo_values(config), reward_values(config)
    rate = GPU_FLOPS if gpu else CPU_CORE_FLOPS * (os.cpu_count() or 1)
    parameters = count_parameters(model)
    answers, written = int(ppo["batch_size"]), int(ppo.get("max_new_tokens", 64))
    epochs = int(ppo.get("ppo_epochs", 4))
    seconds = _seconds_an_answer(past, model, written, epochs)
    if seconds is None:
        # Drawn, read by policy, reference and reward model, and learned from: forward and twice backward.
        passes = 4 + 3 * epochs
        seconds = 2 * parameters * (PROMPT_TOKENS + written) * passes / rate
    learned = 6 * parameters * (PROMPT_TOKENS + ANSWER_TOKENS) * rows * float(reward["epochs"]) / rate
    return (2 * LOADING_SECONDS + learned + seconds * answers * int(ppo["max_steps"])) / 60


def count_parameters(folder: Path) -> int:
    """By the headers of its safetensors files; 0 where there are none (a model of the hub)."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        try:
            with path.open("rb") as stream:
                header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
            for name, entry in header.items():
                if name != "__metadata__":
                    start, end = entry["data_offsets"]
                    total += (end - start) // _BYTES.get(entry["dtype"], 4)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return total


def _seconds_an_answer(past: Iterable[PastRun], model: Path, written: int, epochs: int) -> float | None:
    """From the newest finished run of the same model, of answers as long and learned from as often."""
    for run in past:
        spec, summary = run.spec, run.summary
        if spec["model"]["path"] != str(model) or (spec["max_new_tokens"], spec["ppo_epochs"]) != (
            written,
            epochs,
        ):
            continue
        took = summary.metrics.get("step_time")
        if summary.status == "finished" and isinstance(took, float) and took > 0:
            return took / int(spec["batch_size"])
    return None
