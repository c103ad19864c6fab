"""A few real steps of a run that is thrown away afterwards: ``python -m rlft_tui.jobs.dry_run RUN_DIR``.

RUN_DIR is a run's folder before its start. The job itself runs, in a folder below it, on a few rows
and for a few steps. The rows are taken at even distances in length, the longest among them, so that
their mean is that of all rows and the memory is that of the largest batch; a row is as long as what
the method reads of it. When the steps cannot be
taken for want of memory, smaller settings are tried until they can.

Stdout is JSON lines: ``{"stage": …}`` on the way; the last is ``{"estimate": …}`` or ``{"error": …}``.
It ends, and the job with it, when whoever started it is gone.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from rlft_tui.datasets.dataset_files import HELDOUT, TRAIN
from rlft_tui.datasets.derive import METHOD_KINDS
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method_rows import method_rows
from rlft_tui.runs.estimate import Estimate, folder_bytes
from rlft_tui.runs.extrapolate import extrapolate, measured
from rlft_tui.runs.job_environment import job_environment
from rlft_tui.runs.run_event import EventReader, RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec, write_spec
from rlft_tui.runs.specs.ppo import PpoSpec
from rlft_tui.runs.specs.training import PolicySpec, TrainingSpec

STEPS = 8
"""Real steps; the first does not count for the pace."""
HELDOUT_BATCHES = 4
"""Held-out rows, in batches of training: what is measured on them grows with their number."""
NEVER = 1 << 30
POLL_SECONDS = 0.2

Say = Callable[[dict[str, Any]], None]
Change = dict[str, int | bool | str]


def dry_run(folder: RunFolder, say: Say, command: Sequence[str] = ()) -> Estimate:
    """Take the steps and work out the rest.

    ``command`` takes the place of the method's own job. RlftError when the job fails for another
    reason than memory, or needs more of it than there is whatever is changed.
    """
    spec = read_spec(folder.spec)
    if not isinstance(spec, TrainingSpec):
        raise RlftError(f"a {spec.method} run has no steps to try", where=str(folder.spec))
    train, heldout = (len(rows) for rows in method_rows(folder.dataset, spec.method))
    for change in ({}, *smaller(spec)):
        if change:
            say({"stage": "again", "detail": f"not enough memory; trying {told(change)}"})
        wanted = spec.model_copy(update=change)
        short = make_short(folder, wanted, train)
        try:
            events = take_steps(short, say, command or _job(spec.method))
            if events is None:
                continue
            few, heldout_few = (len(rows) for rows in method_rows(short.dataset, spec.method))
            base = Path(spec.model.path)
            estimate = extrapolate(
                measured(events, newest(short.checkpoints), short.model),
                wanted,
                rows=(train, few),
                heldout_rows=(heldout, heldout_few),
                dataset_bytes=folder_bytes(folder.dataset),
                base_bytes=sum(path.stat().st_size for path in base.glob("*.safetensors")),
                made=time.time(),
            )
        finally:
            shutil.rmtree(short.root, ignore_errors=True)
        return replace(estimate, instead=change, notes=tuple(_notes(estimate, spec, change, folder)))
    raise RlftError(
        "even the smallest settings need more memory than there is",
        remedy="Take a smaller model, or a machine with more memory",
    )


def make_short(folder: RunFolder, spec: TrainingSpec, rows: int) -> RunFolder:
    """The folder of the short run: the same data sampled, the same settings but for its length."""
    short = RunFolder(folder.root / "dry-run")
    shutil.rmtree(short.root, ignore_errors=True)
    rest = shutil.ignore_patterns(short.root.name, "dataset")
    shutil.copytree(folder.root, short.root, ignore=rest)
    short.dataset.mkdir()
    short.checkpoints.mkdir(exist_ok=True)
    for path in folder.dataset.iterdir():
        if path.is_file() and path.name not in (TRAIN, HELDOUT):
            shutil.copy(path, short.dataset)
    length = functools.partial(read_length, method=spec.method)
    lines = (folder.dataset / TRAIN).read_bytes().splitlines(keepends=True)
    wanted = math.ceil(STEPS * spec.rows_a_step() * len(lines) / rows)
    (short.dataset / TRAIN).write_bytes(b"".join(spaced(lines, wanted, length)))
    if (folder.dataset / HELDOUT).is_file():
        lines = (folder.dataset / HELDOUT).read_bytes().splitlines(keepends=True)
        wanted = math.ceil(HELDOUT_BATCHES * spec.batch_size)
        (short.dataset / HELDOUT).write_bytes(b"".join(spaced(lines, wanted, length)))
    write_spec(shortened(spec, rows), short.spec)
    return short


def shortened(spec: TrainingSpec, rows: int) -> TrainingSpec:
    """The settings of the short run; a part of them says what the whole run would have chosen itself."""
    change: dict[str, Any] = {
        "max_steps": min(STEPS, spec.max_steps),
        "epochs": 1.0,
        "checkpoint_every": STEPS,
        "keep_checkpoints": 1,
        "keep_best": "",
        "evaluate_every": 0,
        "alarms": type(spec.alarms)(),
        "trackers": (),
    }
    if isinstance(spec, PolicySpec):
        change |= {"sample_every": NEVER if spec.sample_every else 0, "policy": ""}
    if getattr(spec, "precompute_reference", "") == "auto":
        change["precompute_reference"] = "on" if spec.precomputes(rows) else "off"
    return spec.model_copy(update=change)


def read_length(line: bytes, method: str) -> int:
    """Characters of a row's prompt and of its longest answer that the method reads."""
    row = json.loads(line)
    names = ("completion", "chosen", *(() if method == "sft" else ("rejected",)))
    answers = [row[name] for name in names if name in row and METHOD_KINDS[method][0] != "prompts"]
    prompt, *others = (sum(len(turn["content"]) for turn in turns) for turns in (row["prompt"], *answers))
    return prompt + max(others, default=0)


def spaced(lines: list[bytes], count: int, length: Callable[[bytes], int] = len) -> list[bytes]:
    """So many of the lines, at even distances in length and the longest among them, in their order."""
    if len(lines) <= count:
        return lines
    lengths = [length(line) for line in lines]
    order = sorted(range(len(lines)), key=lengths.__getitem__)
    places = {order[int((part + 0.5) * len(lines) / count)] for part in range(count - 1)}
    return [lines[at] for at in sorted(places | {order[-1]})]


def smaller(spec: TrainingSpec) -> Iterator[Change]:
    """Settings that need less and less memory; the optimiser steps stay the same as far as they can."""
    change: Change = {}
    # What holds the rows of one pass; PPO's batch_size is how many answers an update draws.
    name = "mini_batch_size" if isinstance(spec, PpoSpec) else "batch_size"
    at_once = getattr(spec, name)
    rows = spec.step_answers if isinstance(spec, PpoSpec) else at_once * spec.gradient_accumulation
    for batch in (at_once // 2, at_once // 4, 1):
        if 1 <= batch < int(change.get(name, at_once)) and rows % batch == 0:
            change |= {name: batch, "gradient_accumulation": rows // batch}
            yield dict(change)
    if not spec.gradient_checkpointing:
        change["gradient_checkpointing"] = True
        yield dict(change)
    if spec.adaptation == "lora" and spec.quantization == "none":
        change["quantization"] = "nf4"
        yield dict(change)
    if spec.max_length >= 64:
        change["max_length"] = spec.max_length // 2
        yield dict(change)


def take_steps(short: RunFolder, say: Say, command: Sequence[str]) -> list[RunEvent] | None:
    """Run the job to its end; its events, or None when it ran out of memory."""
    parent = os.getppid()
    with short.output.open("wb") as output:
        job = subprocess.Popen(
            [*command, str(short.root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=job_environment(),
            start_new_session=True,
        )
    try:
        # Where memory runs out, this process and no other is to go.
        with contextlib.suppress(OSError):
            Path(f"/proc/{job.pid}/oom_score_adj").write_text("1000")
        events: list[RunEvent] = []
        reader = EventReader(short.events)
        while True:
            ended = job.poll() is not None
            for event in reader.read():
                events.append(event)
                _tell(event, say)
            if ended:
                break
            if os.getppid() != parent:
                raise RlftError("whoever asked for the dry run is gone")
            time.sleep(POLL_SECONDS)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    if job.returncode == 0:
        return events
    errors = [event.fields for event in events if event.kind == "error"]
    if job.returncode == -signal.SIGKILL or (errors and errors[-1].get("type") == "OutOfMemory"):
        return None
    last = (short.output.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
    raise RlftError(str(errors[-1]["message"]) if errors else f"the job ended with {job.returncode}: {last}")


def newest(checkpoints: Path) -> Path:
    """The last checkpoint, or a folder that is not there."""
    found = sorted(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return found[-1] if found else checkpoints / "none"


def told(change: Change) -> str:
    """``batch_size 2, gradient_accumulation 8``."""
    return ", ".join(f"{name} {str(value).lower()}" for name, value in change.items())


def _notes(estimate: Estimate, spec: TrainingSpec, change: Change, folder: RunFolder) -> Iterator[str]:
    if change:
        now = told({name: getattr(spec, name) for name in change})
        yield f"{now} does not fit into memory; {told(change)} does, and is what was measured"
    free = shutil.disk_usage(folder.root).free / 1e6
    if estimate.disk_mb <= free:
        return
    note = f"{estimate.disk_mb:.0f} MB of disk are needed and {free:.0f} are free"
    fewer = estimate.disk_mb - (spec.keep_checkpoints - 1) * estimate.checkpoint_mb
    if spec.keep_checkpoints > 1 and fewer <= free:
        note += f"; keep_checkpoints 1 needs {fewer:.0f}"
    yield note


def _tell(event: RunEvent, say: Say) -> None:
    if event.kind == "stage":
        fields = event.fields
        say({"stage": fields["name"], "progress": fields.get("progress"), "detail": fields.get("detail", "")})


def _job(method: str) -> list[str]:
    return [sys.executable, "-P", "-m", f"rlft_tui.jobs.{method}"]


def _say(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m rlft_tui.jobs.dry_run RUN_DIR\n")
        return 2
    # So that the job goes too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        estimate = dry_run(RunFolder(Path(arguments[0]).resolve()), _say)
    except RlftError as error:
        _say({"error": {"what": error.what, "where": error.where, "remedy": error.remedy}})
        return 1
    _say({"estimate": msgspec.to_builtins(estimate)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
