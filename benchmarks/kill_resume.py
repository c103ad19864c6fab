"""SIGKILL at random moments, half of them while a checkpoint is being written: always resumable?

A quarter of the kills comes at any moment from the start on, another after the first step.

A tiny random Llama, a checkpoint at every step. The same run is killed again and again and resumed
in the same folder; each resume must go on from a checkpoint that verifies, and the trace of losses
that is left in the end must be that of a run that nobody killed.

Each attempt is a process of its own, forked off one that has torch, transformers and TRL imported:
that alone would take most of the time, and nothing can be lost in it.

python -m benchmarks.kill_resume [KILLS] [METHOD …]
"""

from __future__ import annotations

import importlib
import os
import random
import runpy
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.checkpoints import MANIFEST
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import TRAINING_METHODS
from tests.jobs.job_process import events, of_kind, training_folder, values
from tests.tiny_model import make_tiny_model

STEPS = 200
SECONDS = 2.0
"""A kill comes so long at most after what it waits for: the start, or the attempt's first step."""
WHEN = ("start", "checkpoint", "training", "checkpoint")
"""What the kills wait for, in turns."""
MOMENTS = ("checkpoint", "training", "start")
EVERY_STEP = {"checkpoint_every": 1, "learning_rate": 1e-3, "evaluate": False}
ANSWERS = {"max_new_tokens": 6, "answers_every": 0}
OWN: dict[str, dict[str, Any]] = {
    # Two steps on the same answers: every other checkpoint lies between them.
    "grpo": {**ANSWERS, "beta": 0.02, "iterations": 2, "batch_size": 4},
    "rloo": {**ANSWERS, "batch_size": 4},
    "ppo": {**ANSWERS, "batch_size": 4, "mini_batch_size": 2, "ppo_epochs": 2},
}
LIBRARIES = ("torch", "peft", "datasets", "transformers.trainer")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A job in a process of its own."""

    pid: int
    output: Path

    @classmethod
    def start(cls, folder: RunFolder, method: str) -> Attempt:
        output = folder.root / "attempt.log"
        pid = os.fork()
        if not pid:
            _become(f"rlft_tui.jobs.{method}", folder, output)
        return cls(pid, output)

    def ended(self) -> bool:
        """Whether it has ended; it can still be waited for."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def finish(self) -> int:
        """Its exit code; a signal's number below 0."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def last_line(self) -> str:
        return (self.output.read_text().strip().splitlines() or ["no message"])[-1]


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    methods = [word for word in sys.argv[1:] if not word.isdigit()] or list(TRAINING_METHODS)
    kills = numbers[0] if numbers else 20
    prepare_environment()
    for library in (*LIBRARIES, *(f"trl.trainer.{method}_trainer" for method in methods if method != "ppo")):
        importlib.import_module(library)
    print(f"Tiny random Llama, {STEPS} steps, a checkpoint at each; each run was killed {kills} times.\n")
    print(
        "| method | killed while a checkpoint was half written | between two | before the first step "
        "| half-written ones skipped | largest difference of a loss from the unkilled run |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        model = make_tiny_model(Path(scratch) / "tiny")
        for method in methods:
            print(_row(Path(scratch) / method, method, model, kills), flush=True)


def _row(root: Path, method: str, model: Path, kills: int) -> str:
    chance = random.Random(method)
    plan = {**EVERY_STEP, **OWN.get(method, {}), "max_steps": STEPS}
    if method != "reward":
        plan["sample_every"] = 0
    folder = training_folder(root / "killed", method, model, **plan)
    moments = Counter(kill(folder, method, chance, WHEN[number % len(WHEN)]) for number in range(kills))
    train(folder, method)
    whole = training_folder(root / "whole", method, model, **{**plan, "checkpoint_every": STEPS})
    train(whole, method)
    found, expected = values(events(folder), "loss"), values(events(whole), "loss")
    if list(expected) != list(range(1, STEPS + 1)) or set(found) != set(expected):
        raise RlftError(f"{method}: steps are missing: {sorted(set(range(1, STEPS + 1)) - set(found))}")
    apart = max(abs(found[step] - expected[step]) for step in expected)
    skipped = sum(not row["verified"] for row in of_kind(events(folder), "checkpoint"))
    return f"| {method} | {' | '.join(str(moments[one]) for one in MOMENTS)} | {skipped} | {apart:.1e} |"


def train(folder: RunFolder, method: str) -> None:
    """To its end."""
    attempt = Attempt.start(folder, method)
    if attempt.finish():
        raise RlftError(f"{method} could not be gone on with: {attempt.last_line()}")


def kill(folder: RunFolder, method: str, chance: random.Random, when: str) -> str:
    """Start or resume it and kill it then; which of the moments it was."""
    reader = EventReader(folder.events)
    list(reader.read())
    began = time.time_ns()
    attempt = Attempt.start(folder, method)

    def trained() -> bool:
        return any(event.kind == "metrics" and event.fields["step"] for event in reader.read())

    if when != "start":
        _wait(trained, attempt, method)
    time.sleep(chance.uniform(0.0, SECONDS))
    if when == "checkpoint":
        _wait(lambda: half_written(folder, began), attempt, method)
    half = half_written(folder, began)
    os.kill(attempt.pid, signal.SIGKILL)
    if attempt.finish() != -signal.SIGKILL:
        raise RlftError(
            f"{method} ended before it could be killed: {attempt.last_line()}", remedy="Raise STEPS"
        )
    return "checkpoint" if half else "training" if when != "start" or trained() else "start"


def half_written(folder: RunFolder, since: int) -> bool:
    """Whether the newest checkpoint has no manifest, and was written to since then (nanoseconds): what
    an earlier kill left is not meant."""
    found = [(int(path.name.split("-")[1]), path) for path in folder.checkpoints.glob("checkpoint-*")]
    if not found or ((newest := max(found)[1]) / MANIFEST).exists():
        return False
    with suppress(FileNotFoundError):
        return any(path.stat().st_mtime_ns > since for path in (newest, *newest.iterdir()))
    return False


def _wait(reached: Callable[[], bool], attempt: Attempt, method: str) -> None:
    while not reached():
        if attempt.ended():
            raise RlftError(f"{method} ended by itself: {attempt.last_line()}")
        time.sleep(0.0005)


def _become(module: str, folder: RunFolder, output: Path) -> None:
    """Go on as ``python -m MODULE FOLDER``; does not return."""
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    code: Any = 1
    try:
        sys.argv = [module, str(folder.root)]
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code or 0))


if __name__ == "__main__":
    main()
