"""Measures a model on a suite: ``python -m rlft_tui.jobs.evaluate RUN_DIR``.

Reads ``run.toml`` and ``suite/``, appends finished items to ``items.jsonl``, and at the end writes
``results.json``: every metric with its n and interval. Items that are there already (of an earlier
attempt, or of an earlier run of the same model with the same settings) are not done again; with
all of them there no model is loaded at all.

Several GPUs share the items: one process for each (jobs/evaluation/shards.py).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from rlft_tui.evaluations.evaluation import Evaluation, Item
from rlft_tui.evaluations.item_log import ITEMS, open_items, read_items
from rlft_tui.evaluations.results import write_results
from rlft_tui.evaluations.sandbox.sandbox import NOT_KEPT_OUT, require_sandbox
from rlft_tui.evaluations.suites.freeze import FrozenTask, read_frozen
from rlft_tui.evaluations.suites.tasks import CodeTask
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.runs.specs.evaluate import EvaluateSpec


def evaluate(job: Job, spec: EvaluateSpec) -> int:
    os.environ["TQDM_DISABLE"] = "1"
    suite, tasks = read_frozen(job.folder.root)
    path = job.folder.root / ITEMS
    open_items(path).close()

    # -- what is there already
    from rlft_tui.jobs.evaluation.pending import Pending

    pending = Pending(tasks, read_items(path))
    if pending.done:
        say(f"{pending.done} of {pending.total} items are measured already")
    if any(isinstance(task.spec, CodeTask) and pending.rows(task) for task in tasks):
        require_sandbox()
        say(NOT_KEPT_OUT)

    job.stage("starting", detail="loading torch and transformers" if pending.left else "")
    if pending.left:
        from rlft_tui.jobs.evaluation.shards import measure_shared, shard_count
        from rlft_tui.jobs.evaluation.work import described_device, measure_alone

        shards = shard_count(spec)
        where = described_device(spec) if shards == 1 else f"{shards} processes"
        job.started(spec, pending.total, where)
        if shards == 1:
            finished = measure_alone(job, spec, suite, pending)
        else:
            finished = measure_shared(job, spec, pending, shards)
        if not finished:
            done = Pending(tasks, read_items(path)).done
            return job.stopped(f"after {done} of {pending.total} items", items=str(path))
    else:
        job.started(spec, pending.total, "no device: everything was measured before")

    # -- figures
    job.stage("evaluating", progress=1.0, detail="intervals")
    found = results(spec, tasks, list(read_items(path)))
    write_results(job.folder.root, spec.model.name, suite, found)
    values = {f"{one.task}/{one.metric}": one.value for one in found if one.value is not None}
    job.log.metrics(pending.total, values, {}, steps=pending.total)
    for one in found:
        say(line(one))
    job.log.write("end", status="finished", items=str(path))
    return 0


def results(spec: EvaluateSpec, tasks: Sequence[FrozenTask], items: Sequence[Item]) -> list[Evaluation]:
    """The figures of every task."""
    from rlft_tui.evaluations.task_figures import task_figures

    now = time.time()
    found: list[Evaluation] = []
    for task in tasks:
        own = [item for item in items if item.task == task.name]
        found += task_figures(
            task,
            own,
            model=spec.model.name,
            seed=spec.seed,
            model_key=spec.model_key,
            run_id=spec.id,
            created_at=now,
        )
    return found


def line(one: Evaluation) -> str:
    """One figure for the output."""
    value = "none" if one.value is None else f"{one.value:.4g}"
    interval = f" ({one.low:.4g} to {one.high:.4g})" if one.low is not None and one.high is not None else ""
    errors = f", {one.errors} could not be judged" if one.errors else ""
    return f"{one.task} {one.metric}: {value}{interval}, n {one.n}{errors}"


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], EvaluateSpec, evaluate))
