"""The figures of one task: those of its items, and those that only all answers together have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlft_tui.evaluations.evaluation import Evaluation, Item
from rlft_tui.evaluations.results import figure, figures
from rlft_tui.evaluations.statistics import Estimate, jackknife, mean
from rlft_tui.evaluations.suites.freeze import FrozenTask
from rlft_tui.evaluations.suites.tasks import TextTask
from rlft_tui.evaluations.text_quality import distinct_n, distinct_n_without_each, self_bleu_each


def corpus_estimates(texts: Sequence[str], seed: int = 0) -> dict[str, Estimate]:
    """What is measured of all answers together; a bootstrap would repeat answers, so it is a jackknife."""
    found = {
        f"distinct_{n}": jackknife(distinct_n(texts, n), distinct_n_without_each(texts, n)) for n in (1, 2)
    }
    found["self_bleu"] = mean(self_bleu_each(texts), seed=seed)
    return found


def task_figures(
    task: FrozenTask, items: Sequence[Item], *, model: str, seed: int = 0, **about: Any
) -> list[Evaluation]:
    """Every metric of a task; ``about``: more fields of Evaluation."""
    if not items:
        return []
    found = figures(items, model=model, seed=seed, **about)
    texts = [item.output for item in items if not item.error]
    if isinstance(task.spec, TextTask) and task.spec.diversity and len(texts) > 1:
        found += [
            figure(name, estimate, items[0], model, **about)
            for name, estimate in corpus_estimates(texts, seed).items()
        ]
    return found
