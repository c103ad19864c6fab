"""Run folders as real jobs leave them, written with the real event writer."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import Attempt, RunFolder
from rlft_tui.runs.run_process import start_time
from rlft_tui.runs.run_spec import ModelSource, write_spec
from rlft_tui.runs.run_status import Exit
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.generate import GenerateSpec
from rlft_tui.runs.specs.training import RoundPart

MODEL = ModelSource(name="smollm2-135m", path="/models/smollm2-135m")


def dpo_folder(workspace: Workspace, run_id: str, *, steps: int = 40) -> RunFolder:
    """A DPO run's folder with its spec, and nothing done yet."""
    folder = RunFolder(workspace.runs / run_id)
    folder.root.mkdir(parents=True)
    spec = DpoSpec(id=run_id, model=MODEL, dataset="3f2a9c01b7de", max_steps=steps, round=RoundPart(pairs=0))
    write_spec(spec, folder.spec)
    folder.output.write_text("loading smollm2-135m\n")
    return folder


def generate_folder(workspace: Workspace, run_id: str) -> RunFolder:
    folder = RunFolder(workspace.runs / run_id)
    folder.root.mkdir(parents=True)
    write_spec(GenerateSpec(id=run_id, model_a=MODEL, model_b=MODEL), folder.spec)
    folder.output.write_text("")
    return folder


def begin(log: EventWriter, *, method: str = "dpo", steps: int = 40, pid: int = 0) -> None:
    log.write("start", method=method, attempt=1, versions={}, host="here", device="cpu", steps=steps, pid=pid)


def train(log: EventWriter, first: int, last: int, *, nan_at: int = -1, total: int = 40) -> None:
    """Metrics of steps ``first`` to ``last``, as DPO logs them."""
    for step in range(first, last + 1):
        falling = math.exp(-3 * step / total)
        values = {
            "loss": math.nan if step == nan_at else 0.05 + 0.64 * falling,
            "rewards/margins": 2.5 * (1 - falling),
            "rewards/accuracies": 0.5 + 0.5 * (1 - falling),
            "rewards/chosen": 1.1 * (1 - falling),
            "grad_norm": 4 * falling,
            "learning_rate": 5e-5 * (1 - step / (total + 1)),
        }
        log.metrics(step, values, {}, steps=total, memory_mb=812.0)
        if step % 10 == 0:
            log.metrics(step, {"kl/sequence": 0.4 * step}, {"kl/sequence": "nats/sequence"})
            for index in range(2):
                log.write(
                    "sample", step=step, index=index, prompt=f"Prompt {index}: why is the sky blue?",
                    completion=f"At step **{step}** answer {index} speaks of light.",
                    kl=0.4 * step + index, reward=None, tokens=12,
                )  # fmt: skip


def end_well(folder: RunFolder) -> None:
    """A finished run, with an adapter that the server can register."""
    folder.model.mkdir()
    (folder.model / "adapter_config.json").write_text("{}")
    (folder.model / "adapter_model.safetensors").write_bytes(b"weights")
    log = EventWriter(folder.events)
    log.write("end", status="finished", model=str(folder.model))
    log.close()
    folder.write_exit(Exit(0, None, "finished", time.time()))


def end_killed(folder: RunFolder) -> None:
    """What a keeper records when a signal has ended its job."""
    folder.write_exit(Exit(None, "SIGKILL", "killed by SIGKILL, perhaps out of memory", time.time()))


APPENDER = """
import signal, sys, time
from pathlib import Path
from tests.tui.run_folders import begin, train
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_status import Exit
root = Path(sys.argv[1])
log = EventWriter(root / "events.jsonl")
def stop(*_):
    log.write("end", status="stopped")
    RunFolder(root).write_exit(Exit(0, None, "stopped as asked", time.time()))
    raise SystemExit(0)
signal.signal(signal.SIGTERM, stop)
begin(log)
step = 0
while True:
    wanted = int((root / "go").read_text() or 0) if (root / "go").exists() else 0
    if wanted > step:
        train(log, step + 1, wanted)
        with (root / "output.log").open("a") as output:
            output.write(f"reached step {wanted}\\n")
        step = wanted
    time.sleep(0.02)
"""


def live_job(folder: RunFolder) -> subprocess.Popen[bytes]:
    """A process that writes the run's events as far as ``go`` says; the run is alive while it is."""
    job = subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(folder.root)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    started = start_time(job.pid) or 0.0
    folder.write_attempt(Attempt(1, job.pid, started, job.pid, started))
    return job


def go(folder: RunFolder, step: int) -> None:
    """Let the live job come as far as this step."""
    partial = folder.root / "go.partial"
    partial.write_text(str(step))
    partial.replace(folder.root / "go")
