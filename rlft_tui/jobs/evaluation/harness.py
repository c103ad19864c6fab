"""Tasks of lm-evaluation-harness, run by lm-eval itself with the model that is in memory."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.suites.freeze import FrozenTask
from rlft_tui.evaluations.suites.tasks import HarnessTask
from rlft_tui.jobs.evaluation.pending import LAST
from rlft_tui.jobs.evaluation.subject import Subject

_SHOWN = 4000
"""Characters of a prompt that are kept: few-shot ones are long."""


def harness_items(suite: str, task: FrozenTask, subject: Subject, *, seed: int) -> list[Item]:
    """Every document of the task's lm-eval tasks with the metrics that lm-eval gave it; the last is marked.

    RlftError when lm-eval cannot be had, or does not know a task.
    """
    spec = task.spec
    assert isinstance(spec, HarnessTask)
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise UnavailableError(
            "tasks of kind lm-eval need the package lm-eval", remedy="pip install 'rlft_tui[eval]'"
        ) from None
    model = HFLM(
        pretrained=subject.model,
        tokenizer=subject.tokenizer,
        batch_size=subject.batch_size,
        max_length=min(subject.longest, 1 << 20),
        backend="causal",
    )
    folder = task.rows if spec.folder else None
    manager = TaskManager(include_path=str(folder) if folder else None, include_defaults=folder is None)
    if unknown := [name for name in spec.tasks if name not in manager.all_tasks]:
        raise NotFoundError(f"lm-eval knows no task {unknown[0]!r}", where=str(folder or f"task {spec.name}"))
    before = Path.cwd()
    try:
        if folder:
            # A task's YAML names its data files from where lm-eval was started.
            os.chdir(folder)
        found: Any = simple_evaluate(
            model=model,
            tasks=list(spec.tasks),
            num_fewshot=None if spec.shots < 0 else spec.shots,
            limit=spec.limit or None,
            apply_chat_template=spec.chat,
            task_manager=manager,
            bootstrap_iters=0,
            log_samples=True,
            random_seed=seed,
            numpy_random_seed=seed,
            torch_random_seed=seed,
            fewshot_random_seed=seed,
        )
    except (OSError, ValueError, KeyError, ConnectionError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RlftError(f"lm-eval could not run it: {line}", where=f"task {spec.name}") from error
    finally:
        os.chdir(before)
    items = _items(suite, task, spec, found["samples"])
    if not items:
        raise RlftError("lm-eval gave no samples", where=f"task {spec.name}")
    items[-1].parts[LAST] = True
    return items


def _items(suite: str, task: FrozenTask, spec: HarnessTask, samples: Mapping[str, Any]) -> list[Item]:
    made: dict[str, Item] = {}
    several = len(samples) > 1
    for name, documents in samples.items():
        filters = {one["filter"] for one in documents}
        for one in documents:
            key = f"{name}/{one['doc_id']}"
            if key not in made:
                made[key] = Item(
                    suite,
                    spec.name,
                    key,
                    prompt=_text(one["arguments"][0][0])[-_SHOWN:],
                    output=_text(one["filtered_resps"])[:_SHOWN],
                    expected=_text(one["target"])[:_SHOWN],
                    settings=task.settings,
                )
            for metric in one["metrics"]:
                shown = metric if len(filters) == 1 else f"{metric},{one['filter']}"
                _add(made[key], f"{name}/{shown}" if several else shown, one[metric])
    return list(made.values())


def _add(item: Item, metric: str, value: Any) -> None:
    """A number as it is; what lm-eval sums up before it divides (log p and a count) as a ratio."""
    if isinstance(value, bool | int | float):
        item.scores[metric] = float(value)
    elif isinstance(value, tuple) and len(value) == 2 and value[1]:
        nats, count = -float(value[0]), float(value[1])
        bits = metric.endswith("bits_per_byte")
        top = nats / math.log(2) if bits else nats
        item.parts.update({f"{metric}_top": top, f"{metric}_bottom": count})
        item.scores[metric] = top / count if bits else math.exp(min(nats / count, 700.0))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
