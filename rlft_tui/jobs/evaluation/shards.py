"""Several processes that share the items of one run: ``python -m …evaluation.shards RUN_DIR K N``.

Each takes every N-th row and appends to a file of its own, which the run's job takes in: a shard that is
killed costs what it was just doing, as in a run of one process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.item_log import ITEMS, append_items, open_items, read_items
from rlft_tui.evaluations.suites.freeze import read_frozen
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.jobs.evaluation.pending import Pending
from rlft_tui.jobs.job import Job, say
from rlft_tui.jobs.stopping import StopRequest
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.specs.evaluate import EvaluateSpec

_LOOK_SECONDS = 0.5


def shard_count(spec: EvaluateSpec) -> int:
    """Processes that share the work: as asked for, else one a GPU."""
    if spec.shards:
        return spec.shards
    if spec.device == "cpu":
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def measure_shared(job: Job, spec: EvaluateSpec, pending: Pending, shards: int) -> bool:
    """Have ``shards`` processes measure what is left; False when they were asked to stop before the end."""
    gather(job.folder.root)
    devices = _devices(shards)
    job.stage("evaluating", progress=pending.done / pending.total, detail=f"{shards} processes")
    children = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(job.folder.root), str(at), str(shards)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **device},
        )
        for at, device in enumerate(devices)
    ]
    told = False
    try:
        while any(child.poll() is None for child in children):
            if job.stop.asked and not told:
                told = True
                for child in children:
                    child.terminate()
            done = gather(job.folder.root)
            if done:
                now = Pending(pending.tasks, read_items(job.folder.root / ITEMS))
                job.stage("evaluating", progress=now.done / now.total, detail=f"{shards} processes")
                job.log.metrics(now.done, {}, {}, steps=now.total)
            time.sleep(_LOOK_SECONDS)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
    gather(job.folder.root)
    if failed := [child.returncode for child in children if child.returncode not in (0, 3)]:
        raise RlftError(
            f"{len(failed)} of {shards} processes failed (exit code {failed[0]})",
            where=str(job.folder.output),
            remedy="The lines above in the output say why; a resume goes on with what is left",
        )
    return not told and not Pending(pending.tasks, read_items(job.folder.root / ITEMS)).left


def gather(folder: Path) -> int:
    """Take what is new in the shards' files into the run's own; how many items that were."""
    there = {(item.task, item.item) for item in read_items(folder / ITEMS)}
    new = [
        item
        for path in sorted(folder.glob("items-*.jsonl"))
        for item in read_items(path)
        if (item.task, item.item) not in there
    ]
    if new:
        with open_items(folder / ITEMS) as stream:
            append_items(stream, new)
    return len(new)


def main(arguments: list[str]) -> int:
    """One shard; exit code 3 when it was asked to stop before the end."""
    folder = RunFolder(Path(arguments[0]).resolve())
    at, shards = int(arguments[1]), int(arguments[2])
    prepare_environment()
    os.environ["TQDM_DISABLE"] = "1"
    stop = StopRequest()
    try:
        spec = read_spec(folder.spec)
        assert isinstance(spec, EvaluateSpec)
        suite, tasks = read_frozen(folder.root)
        pending = Pending(tasks, read_items(folder.root / ITEMS))
        from rlft_tui.jobs.evaluation.work import measure

        with open_items(folder.root / f"items-{at}.jsonl") as stream:
            finished = measure(
                spec,
                suite,
                pending,
                stream,
                folder.root,
                lambda task, items: None,
                lambda: bool(stop.asked),
                shard=(at, shards),
            )
    except RlftError as error:
        say(f"process {at}: {error}")
        return 1
    return 0 if finished else 3


def _devices(shards: int) -> list[dict[str, str]]:
    """The environment of each shard: one of the visible GPUs, in turn."""
    import torch

    visible = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    known = visible or [str(at) for at in range(torch.cuda.device_count())]
    return [{"CUDA_VISIBLE_DEVICES": known[at % len(known)]} if known else {} for at in range(shards)]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
