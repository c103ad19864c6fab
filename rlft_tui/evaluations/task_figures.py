"""The figures of one task: those of its items, and those that only all answers together have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rlft_tui.evaluations.evaluation import Evaluation, Item
from rlft_tui.evaluations.results import direction, figures
from rlft_tui.evaluations.statistics import Estimate, jackknife
from rlft_tui.evaluations.suites.freeze import FrozenTask
from rlft_tui.evaluations.suites.tasks import TextTask

_GROUPS = 20
"""Parts of the answers that are left out in turn for an interval."""


def corpus_measures() -> dict[str, Callable[[Sequence[str]], float]]:
    """What is measured of all answers together."""
    from rlft_tui.evaluations.text_quality import distinct_n, self_bleu

    return {
        "distinct_1": lambda texts: distinct_n(texts, 1),
        "distinct_2": lambda texts: distinct_n(texts, 2),
        "self_bleu": self_bleu,
    }


def task_figures(
    task: FrozenTask, items: Sequence[Item], *, model: str, seed: int = 0, **about: Any
) -> list[Evaluation]:
    """Every metric of a task; ``about``: more fields of Evaluation."""
    if not items:
        return []
    found = figures(items, model=model, seed=seed, **about)
    texts = [item.output for item in items if not item.error]
    if isinstance(task.spec, TextTask) and task.spec.diversity and len(texts) > 1:
        first = items[0]
        for name, measure in corpus_measures().items():
            estimate = over_all(texts, measure)
            found.append(
                Evaluation(
                    model=model,
                    suite=first.suite,
                    task=first.task,
                    metric=name,
                    value=estimate.value,
                    n=estimate.n,
                    low=estimate.low,
                    high=estimate.high,
                    stderr=estimate.stderr,
                    better=direction(name),
                    settings=first.settings,
                    **about,
                )
            )
    return found


def over_all(texts: Sequence[str], measure: Callable[[Sequence[str]], float]) -> Estimate:
    """A measure of all texts together, with a jackknife interval from leaving parts out."""
    groups = min(_GROUPS, len(texts))
    without = [
        measure([text for at, text in enumerate(texts) if at % groups != group]) for group in range(groups)
    ]
    return replace(jackknife(measure(texts), without), n=len(texts))
