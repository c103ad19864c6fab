"""Jobs of a few lines: real processes under a real keeper, without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rlft_tui.runs.launcher import is_active, launch
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.generate import GenerateSpec
from tests.conftest import wait_for

PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import RunFolder
folder = RunFolder(Path.cwd())
log = EventWriter(folder.events)
def start(steps=10):
    number = folder.read_attempt().number
    log.write("start", method="dpo", attempt=number, steps=steps, device="cpu", pid=os.getpid())
"""
TRAINING = """
stopped = False
def on_terminate(*_):
    global stopped
    stopped = True
signal.signal(signal.SIGTERM, on_terminate)
first = 1 + len(list(folder.checkpoints.iterdir()))
start(steps=100000)
for step in range(first, 100001):
    log.metrics(step, {"loss": 1.0 / step}, memory_mb=100.0 + step)
    if stopped:
        (folder.checkpoints / f"step-{step}").mkdir()
        log.write("checkpoint", step=step, path=f"checkpoints/step-{step}", verified=True)
        log.write("control", asked="stop", done="saved")
        log.write("end", status="stopped")
        sys.exit(0)
    time.sleep(0.005)
"""
"""Writes a metric a step until it is stopped; a resumed one goes on."""

FINISHING = """
start(steps=3)
for step in (1, 2, 3):
    log.metrics(step, {"loss": 3.0 - step}, {"kl": "nats/sequence"})
folder.model.mkdir()
(folder.model / "adapter_config.json").write_text("{}")
log.write("end", status="finished", model=str(folder.model))
"""


def command(body: str) -> list[str]:
    """The command of a job with this Python body."""
    return [sys.executable, "-c", PRELUDE + body]


def dpo_spec(run_id: str = "dpo-test", **more: Any) -> DpoSpec:
    values = {"id": run_id, "method": "dpo", "model": {"name": "base", "path": "/base"}, "dataset": "abc"}
    spec = parse_spec({**values, **more})
    assert isinstance(spec, DpoSpec)
    return spec


def generate_spec(run_id: str = "generate-test", **more: Any) -> GenerateSpec:
    model = {"name": "base", "path": "/base"}
    spec = parse_spec({"id": run_id, "method": "generate", "model_a": model, "model_b": model, **more})
    assert isinstance(spec, GenerateSpec)
    return spec


def start_job(runs: Path, body: str, run_id: str = "dpo-test", **more: Any) -> RunFolder:
    """Launch a DPO run whose job is this Python body."""
    return launch(runs, dpo_spec(run_id, **more), command=command(body))


def wait_for_end(folder: RunFolder) -> None:
    wait_for(lambda: folder.read_exit() is not None and not is_active(folder), f"{folder.id} to end")
