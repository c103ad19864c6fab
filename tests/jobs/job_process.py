"""Run folders and job processes for the tests of the jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlft_tui.runs.run_event import EventReader, RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import SPECS, ModelSource, PolicySpec, Sampling, write_spec
from rlft_tui.runs.specs.adaptation import Lora
from rlft_tui.runs.specs.generate import GenerateSpec
from tests.warm_python import Forked, WarmPython

JOB_SECONDS = 240.0
ROWS = [
    {
        "prompt": [{"role": "user", "content": f"Say {word}."}],
        "chosen": [{"role": "assistant", "content": word}],
        "rejected": [{"role": "assistant", "content": f"{word} {word} and {word} again"}],
    }
    for word in ("ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")
]


def dpo_folder(root: Path, model: Path | ModelSource, **settings: Any) -> RunFolder:
    """A DPO run's folder."""
    return training_folder(root, "dpo", model, **settings)


def training_folder(root: Path, method: str, model: Path | ModelSource, **settings: Any) -> RunFolder:
    """A run folder with eight training rows and two held-out rows, all in fp32 on one thread."""
    folder = RunFolder(root)
    folder.dataset.mkdir(parents=True)
    write_lines(folder.dataset / "train.jsonl", ROWS[:8])
    write_lines(folder.dataset / "heldout.jsonl", ROWS[8:])
    defaults: dict[str, Any] = {
        "max_steps": 24,
        "batch_size": 2,
        "learning_rate": 1e-2,
        "lora": Lora(r=4, alpha=8),
        "checkpoint_every": 4,
        "threads": 1,
        "precision": "fp32",
    }
    if issubclass(SPECS[method], PolicySpec):
        defaults |= {
            "sample_every": 12,
            "sample_prompts": 2,
            "sampling": Sampling(temperature=1.0, max_new_tokens=8),
        }
    source = ModelSource(name="tiny", path=str(model)) if isinstance(model, Path) else model
    values = {"id": root.name, "model": source, "dataset": "abc", **defaults, **settings}
    write_spec(SPECS[method].model_validate(values), folder.spec)
    return folder


def generate_folder(root: Path, model: Path, prompts: int, **settings: Any) -> RunFolder:
    """A run folder that asks for two answers to each of ``prompts`` prompts."""
    folder = RunFolder(root)
    root.mkdir(parents=True)
    write_lines(
        folder.prompts, [{"id": f"p{n}", "prompt": f"Say {n}.", "category": "talk"} for n in range(prompts)]
    )
    source = ModelSource(name="tiny", path=str(model))
    defaults: dict[str, Any] = {
        "sampling_a": Sampling(temperature=1.0, max_new_tokens=24),
        "sampling_b": Sampling(temperature=1.4, top_p=0.9, max_new_tokens=24),
        "batch_size": 3,
        "threads": 1,
        "precision": "fp32",
        "seed": 5,
    }
    spec = GenerateSpec(id="generate-test", model_a=source, model_b=source, **(defaults | settings))
    write_spec(spec, folder.spec)
    return folder


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


_warm = WarmPython("tests.jobs.loaded_libraries")


def start(module: str, *arguments: object, cold: bool = False) -> subprocess.Popen[str] | Forked:
    """A job's own process; ``cold`` as the keeper starts it, else without the seconds of its imports.

    Each kind of job is started cold once, so that none relies on what another has loaded.
    """
    if not cold:
        return _warm.start(f"rlft_tui.jobs.{module}", *map(str, arguments), environment=environment())
    return subprocess.Popen(
        [sys.executable, "-m", f"rlft_tui.jobs.{module}", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def finish(process: subprocess.Popen[str] | Forked) -> tuple[int, str]:
    """Exit code and stderr."""
    _, errors = process.communicate(timeout=JOB_SECONDS)
    assert process.returncode is not None
    return process.returncode, errors


def events(folder: RunFolder) -> list[RunEvent]:
    return list(EventReader(folder.events).read())


def of_kind(found: list[RunEvent], kind: str) -> list[dict[str, Any]]:
    return [event.fields for event in found if event.kind == kind]


def values(found: list[RunEvent], key: str) -> dict[int, Any]:
    """The metric by step; a later row of the same step counts."""
    rows = of_kind(found, "metrics")
    return {row["step"]: row["values"][key] for row in rows if key in row["values"]}


def seen(folder: RunFolder, wanted: Callable[[RunEvent], bool]) -> Callable[[], bool]:
    """Whether the log holds such an event by now."""
    reader = EventReader(folder.events)
    return lambda: any(wanted(event) for event in reader.read())
