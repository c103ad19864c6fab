"""Estimate versus actual: a dry run of each method on the real small model, then the run itself.

SmolLM2-135M on the shipped pairs, with held-out measures, samples and checkpoints as a real run has
them. Goal: time within 20 %, peak memory within 10 %.

python -m benchmarks.dry_run [STEPS] [METHOD[:SETTING=VALUE …] …]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from benchmarks._small_model_runs import run_python
from benchmarks.training_methods import QUICK, make_folder, plans, run, told
from rlft_tui.errors import RlftError
from rlft_tui.runs.estimate import Estimate, folder_bytes
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder


def dry_run(folder: RunFolder) -> Estimate:
    """The estimate of a run folder, as the command makes it."""
    done = run_python(["-m", "rlft_tui.jobs.dry_run", str(folder.root)])
    last = json.loads(done.stdout.splitlines()[-1])
    if "estimate" not in last:
        raise RlftError(last["error"]["what"] if "error" in last else done.stderr.strip()[-800:])
    return msgspec.convert(last["estimate"], Estimate)


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    print(f"SmolLM2-135M, {steps} steps, on the shipped pairs.\n")
    print("| method | settings | s: estimate (range) | actual | off | MB: estimate | actual | off | disk |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for number, (method, settings) in enumerate(plans(sys.argv[2:])):
            values: dict[str, Any] = {"method": method, "max_steps": steps, **QUICK, **settings}
            values |= {"checkpoint_every": max(1, steps // 2)}
            if method == "reward":
                del values["sample_every"]
            else:
                values |= {"sample_every": max(1, steps // 2), "sample_prompts": 2}
            folder = make_folder(Path(scratch) / str(number), values)
            estimate = dry_run(folder)
            before = os.getloadavg()[0]
            result = run(folder, method)
            events = list(EventReader(folder.events).read())
            seconds = events[-1].t - events[0].t
            disk = folder_bytes(folder.root) / 1e6
            print(
                f"| {method} | {told(settings)} | {estimate.seconds:.0f} "
                f"({estimate.low_seconds:.0f} to {estimate.high_seconds:.0f}) | {seconds:.0f} "
                f"| {off(estimate.seconds, seconds)} | {estimate.memory_mb:.0f} | {result.memory_mb:.0f} "
                f"| {off(estimate.memory_mb, result.memory_mb)} | {off(estimate.disk_mb, disk)} |",
                flush=True,
            )
            print(f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after", file=sys.stderr)


def off(estimate: float, actual: float) -> str:
    """``-7 %``."""
    return f"{100 * (estimate / actual - 1):+.0f} %"


if __name__ == "__main__":
    main()
