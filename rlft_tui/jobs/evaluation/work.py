"""The measuring itself: load the model, go through what is left, keep what is finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.item_log import ITEMS, append_items, open_items
from rlft_tui.evaluations.suites.freeze import FrozenTask
from rlft_tui.evaluations.suites.tasks import HarnessTask
from rlft_tui.jobs.evaluation.measure import Measurement
from rlft_tui.jobs.evaluation.pending import Pending
from rlft_tui.jobs.evaluation.subject import Stopped, Subject
from rlft_tui.jobs.evaluation.texts import TextScorer
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.model_loading import (
    AdapterBase,
    choose_device,
    choose_dtype,
    device_name,
    peak_memory_mb,
    set_threads,
)
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.evaluate import EvaluateSpec

Kept = Callable[[FrozenTask, list[Item]], None]


def described_device(spec: EvaluateSpec) -> str:
    """Where and in what it is computed."""
    set_threads(spec.threads)
    where = choose_device(spec.device)
    return f"{device_name(where)}, {str(choose_dtype(spec.precision, where)).removeprefix('torch.')}"


def measure_alone(job: Job, spec: EvaluateSpec, suite: str, pending: Pending) -> bool:
    """Measure everything that is left in this process; False when it was asked to stop before the end."""
    job.stage("loading", detail=spec.model.name)
    finished, began = pending.done, time.monotonic()
    values: dict[str, list[float]] = {}

    def kept(task: FrozenTask, items: list[Item]) -> None:
        nonlocal finished
        finished += len({item.item.partition("#")[0] for item in items})
        for item in items:
            for metric, score in item.scores.items():
                if score is not None:
                    values.setdefault(f"{task.name}/{metric}", []).append(score)
        means = {key: sum(own) / len(own) for key, own in values.items() if key.startswith(f"{task.name}/")}
        rate = (finished - pending.done) / (time.monotonic() - began)
        job.log.metrics(
            finished,
            {**means, "items_per_second": rate},
            {"items_per_second": "items/s"},
            steps=pending.total,
            memory_mb=peak_memory_mb(),
        )
        job.stage("evaluating", progress=finished / pending.total, detail=task.name)

    with open_items(job.folder.root / ITEMS) as stream:
        return measure(spec, suite, pending, stream, job.folder.root, kept, lambda: bool(job.stop.asked))


def measure(
    spec: EvaluateSpec,
    suite: str,
    pending: Pending,
    stream: BinaryIO,
    folder: Path,
    kept: Kept,
    stopped: Callable[[], bool],
    *,
    shard: tuple[int, int] = (0, 1),
) -> bool:
    """Measure what is left of a shard's rows (Pending.rows); False when it was stopped."""
    set_threads(spec.threads)
    device = choose_device(spec.device)
    dtype = choose_dtype(spec.precision, device)
    loaded = LoadedModel(spec.model, dtype, device)
    subject = Subject(
        loaded.select(), loaded.base.tokenizer, batch_size=spec.batch_size, seed=spec.seed, stopped=stopped
    )
    texts = _texts(spec, folder, loaded, dtype, device, stopped)
    measurement = Measurement(suite, subject, texts=texts)
    try:
        for task in pending.tasks:
            rows = pending.rows(task, shard)
            if isinstance(task.spec, HarnessTask):
                if rows:
                    from rlft_tui.jobs.evaluation.harness import harness_items

                    loaded.select()
                    items = harness_items(suite, task, subject, seed=spec.seed)
                    append_items(stream, items)
                    kept(task, items)
                continue
            for items in measurement.items(task, rows):
                append_items(stream, items)
                kept(task, items)
                if stopped():
                    raise Stopped
    except Stopped:
        return False
    return True


class LoadedModel:
    """The measured model; its base answers too, for fluency, without being loaded twice."""

    def __init__(self, source: ModelSource, dtype: Any, device: str) -> None:
        self.source = source
        self.base = AdapterBase(source.path, dtype, device)
        self.base.load(source.adapter)

    def select(self) -> Any:
        """The model with its adapter in force."""
        self.base.select(self.source.adapter)
        return self.base.model


class _Base(Subject):
    """The base below the measured adapter: the adapter is put aside for each question."""

    def __init__(self, loaded: LoadedModel, **more: Any) -> None:
        super().__init__(loaded.base.model, loaded.base.tokenizer, **more)
        self._loaded = loaded

    def nats(self, items: Any) -> list[float]:
        self._loaded.base.select("")
        try:
            return super().nats(items)
        finally:
            self._loaded.select()


def _texts(
    spec: EvaluateSpec,
    folder: Path,
    loaded: LoadedModel,
    dtype: Any,
    device: str,
    stopped: Callable[[], bool],
) -> TextScorer:
    from rlft_tui.jobs.reward_scoring import RewardModel

    about: dict[str, Any] = {"batch_size": spec.batch_size, "seed": spec.seed, "stopped": stopped}
    reference: Subject | None = None
    if spec.reference is not None:
        if spec.reference.path == spec.model.path and not spec.reference.adapter:
            reference = _Base(loaded, **about)
        else:
            other = LoadedModel(spec.reference, dtype, device)
            reference = Subject(other.select(), other.base.tokenizer, **about)

    def load_model(source: ModelSource) -> RewardModel:
        where = Path(source.adapter or source.path)
        return RewardModel(where, source.path, dtype, device, spec.batch_size)

    return TextScorer(spec.rewards, folder / "rewards", load_model=load_model, reference=reference)
