"""From items to figures: each metric of a task with its n and its 95 % interval."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.evaluations.evaluation import Better, Evaluation, Item
from rlft_tui.evaluations.item_log import RESULTS
from rlft_tui.evaluations.statistics import Estimate, mean, ratio, share

FORMAT = 1
_LOWER = ("perplexity", "bits_per_byte", "self_bleu", "refused_harmless", "errors")
_NEITHER = ("words", "tokens", "refused")
_UNITS = {"perplexity": "", "bits_per_byte": "bits/byte", "words": "words", "tokens": "tokens"}
RATIOS = {
    "perplexity": ("nats", "tokens"),
    "fluency_perplexity": ("nats", "tokens"),
    "bits_per_byte": ("bits", "bytes"),
}
"""Metrics that are a ratio of sums over items, not a mean: which parts they are made of."""


def figures(items: Sequence[Item], *, model: str, seed: int = 0, **about: Any) -> list[Evaluation]:
    """Every metric that the items of one task have, in the order in which it is first met.

    ``about``: more fields of Evaluation. Items that could not be judged count as errors of each metric.
    """
    names = list(dict.fromkeys(name for item in items for name in item.scores))
    failed = sum(bool(item.error) and not item.scores for item in items)
    found = []
    for name in names:
        scored = [item for item in items if item.scores.get(name) is not None]
        errors = failed + sum(name in item.scores and item.scores[name] is None for item in items)
        estimate = estimate_of(name, scored, seed)
        found.append(figure(name, estimate, items[0], model, errors=errors, **about))
    return found


def figure(name: str, estimate: Estimate, item: Item, model: str, **about: Any) -> Evaluation:
    """One metric of the task that ``item`` is of."""
    return Evaluation(
        model=model,
        suite=item.suite,
        task=item.task,
        metric=name,
        value=estimate.value,
        n=estimate.n,
        low=estimate.low,
        high=estimate.high,
        stderr=estimate.stderr,
        better=direction(name),
        unit=_UNITS.get(name, ""),
        settings=item.settings,
        **about,
    )


def estimate_of(metric: str, items: Sequence[Item], seed: int = 0) -> Estimate:
    """One metric over items that all have it."""
    if (parts := ratio_parts(metric, items)) is not None:
        above, below = parts
        known = [item for item in items if below in item.parts]
        tops = [float(item.parts[above]) for item in known]
        bottoms = [float(item.parts[below]) for item in known]
        change = None if metric.endswith("bits_per_byte") else _exp
        return ratio(tops, bottoms, transform=change, seed=seed)
    values = [float(item.scores[metric] or 0.0) for item in items]
    return share(values) if all(value in (0.0, 1.0) for value in values) else mean(values, seed=seed)


def ratio_parts(metric: str, items: Sequence[Item]) -> tuple[str, str] | None:
    """The parts whose sums a metric is the ratio of; None for a mean."""
    top, bottom = RATIOS.get(metric, (f"{metric}_top", f"{metric}_bottom"))
    return (top, bottom) if any(top in item.parts for item in items) else None


def direction(metric: str) -> Better:
    """Which way a metric gets better, by its name."""
    name = metric.rpartition("/")[2]
    if name in _LOWER or name.endswith("perplexity"):
        return "lower"
    return "" if name in _NEITHER else "higher"


def write_results(folder: Path, model: str, suite: str, found: Sequence[Evaluation]) -> None:
    """``results.json`` of a run folder, whole or not at all."""
    record = {
        "format": FORMAT,
        "model": model,
        "suite": suite,
        "results": [msgspec.to_builtins(one) for one in found],
    }
    partial = folder / f"{RESULTS}.partial"
    partial.write_text(json.dumps(_finite(record), indent=1), encoding="utf-8")
    partial.replace(folder / RESULTS)


def read_results(folder: Path) -> tuple[Evaluation, ...]:
    """What a run found; nothing where it has written no results."""
    try:
        record = json.loads((folder / RESULTS).read_bytes())
        return msgspec.convert(record["results"], tuple[Evaluation, ...])
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return ()


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def _finite(value: Any) -> Any:
    """A value that is no number is none at all."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value
