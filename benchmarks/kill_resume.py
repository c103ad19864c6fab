"""SIGKILL at random moments, half of them while a checkpoint is being written: always resumable?

A tiny random Llama, a checkpoint at every step. The same run is killed again and again and resumed
in the same folder; each resume must go on from a checkpoint that verifies, and the trace of losses
that is left in the end must be that of a run that nobody killed.

python -m benchmarks.kill_resume [KILLS] [METHOD] [SEED]
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.jobs.checkpoints import MANIFEST
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from tests.jobs.job_process import events, finish, of_kind, start, training_folder, values
from tests.tiny_model import make_tiny_model

STEPS = 300
TRAINED_SECONDS = 3.0
"""A kill comes so long after training began at most."""


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    method = sys.argv[2] if len(sys.argv) > 2 else "sft"
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        model = make_tiny_model(root / "tiny")
        plan = {"max_steps": STEPS, "checkpoint_every": 1, "sample_every": 0, "learning_rate": 1e-3}
        folder = training_folder(root / "killed", method, model, **plan)
        moments: Counter[str] = Counter()
        while sum(moments.values()) < kills:
            moment = "a checkpoint was half written" if sum(moments.values()) % 2 else "any moment"
            moments[kill(start(method, folder.root), folder, moment, chance)] += 1
        code, errors = finish(start(method, folder.root))
        if code:
            raise RlftError(f"not resumable: {errors.splitlines()[-1]}")
        whole = training_folder(root / "whole", method, model, **(plan | {"checkpoint_every": STEPS}))
        code, errors = finish(start(method, whole.root))
        if code:
            raise RlftError(errors.splitlines()[-1])
        found, expected = values(events(folder), "loss"), values(events(whole), "loss")
        if list(found) != list(expected):
            raise RlftError(f"steps are missing: {sorted(set(expected) - set(found))}")
        apart = max(abs(found[step] - expected[step]) for step in expected)
        resumes = [row["done"] for row in of_kind(events(folder), "control") if row["asked"] == "resume"]
        skipped = sum(not row["verified"] for row in of_kind(events(folder), "checkpoint"))
    print(f"{method}, {STEPS} steps, a checkpoint at each: killed {sum(moments.values())} times")
    for moment, count in sorted(moments.items()):
        print(f"  {count:2} when {moment}")
    print(
        f"resumed {len(resumes)} times from a checkpoint that verified; {skipped} half-written ones skipped"
    )
    print(f"largest difference of a loss from the run that nobody killed: {apart:.1e}")


def kill(process: subprocess.Popen[str], folder: RunFolder, moment: str, chance: random.Random) -> str:
    """Kill it at such a moment of its training; what the moment was."""
    reader = EventReader(folder.events)
    list(reader.read())
    while not any(event.kind == "metrics" and "loss" in event.fields["values"] for event in reader.read()):
        if process.poll() is not None:
            raise RlftError(f"it ended by itself: {finish(process)[1].splitlines()[-1]}")
        time.sleep(0.02)
    time.sleep(chance.uniform(0.0, TRAINED_SECONDS))
    if moment != "any moment":
        while not half_written(folder) and process.poll() is None:
            time.sleep(0.0005)
    half = half_written(folder)
    process.kill()
    if finish(process)[0] != -9:
        raise RlftError("it ended before it could be killed: raise STEPS")
    return "a checkpoint was half written" if half else "none was being written"


def half_written(folder: RunFolder) -> bool:
    """Whether the newest checkpoint has no manifest yet."""
    found = [(int(path.name.split("-")[1]), path) for path in folder.checkpoints.glob("checkpoint-*")]
    return bool(found) and not (max(found)[1] / MANIFEST).exists()


if __name__ == "__main__":
    main()
