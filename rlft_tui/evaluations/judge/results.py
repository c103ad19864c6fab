"""What a judge's run found, in the shape of every evaluation: win rates, ratings and the items behind."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rlft_tui.evaluations.evaluation import Evaluation, Item
from rlft_tui.evaluations.judge.outcomes import Outcome
from rlft_tui.evaluations.length_control import length_controlled
from rlft_tui.evaluations.ratings_table import Played
from rlft_tui.evaluations.statistics import Estimate, mean, share
from rlft_tui.runs.specs.judge import JudgeSpec

SCORES = {"won": 1.0, "lost": 0.0, "tie": 0.5}


def judge_results(spec: JudgeSpec, found: Sequence[Outcome]) -> tuple[list[Item], list[Evaluation]]:
    """Items and evaluations of a run; each pair counts for either of its models."""
    settings = _settings(spec)
    if spec.mode == "rating":
        return _ratings(spec, found, settings)
    return _win_rates(spec, found, settings)


def _ratings(spec: JudgeSpec, found: Sequence[Outcome], settings: str) -> tuple[list[Item], list[Evaluation]]:
    items, by_model = [], defaultdict[str, list[Outcome]](list)
    for one in found:
        by_model[one.item.model_a].append(one)
        items.append(
            Item(
                suite=_suite(spec),
                task=spec.rubric.name,
                item=one.item.id,
                prompt=one.item.prompt,
                output=one.item.response_a,
                scores={"rating": None if one.rating is None else float(one.rating)},
                parts=_parts(one),
                error="" if one.rating is not None else _no_verdict(one),
                settings=settings,
            )
        )
    results = []
    for model, of_model in sorted(by_model.items()):
        rated = [float(one.rating) for one in of_model if one.rating is not None]
        failed = len(of_model) - len(rated)
        results.append(_evaluation(spec, settings, model, spec.rubric.name, "rating", mean(rated), failed))
        expected = [value for one in of_model if (value := one.expected) is not None]
        if expected:
            results.append(
                _evaluation(
                    spec, settings, model, spec.rubric.name, "expected_rating", mean(expected), failed
                )
            )
    return items, results


def _win_rates(
    spec: JudgeSpec, found: Sequence[Outcome], settings: str
) -> tuple[list[Item], list[Evaluation]]:
    items: list[Item] = []
    met = defaultdict[tuple[str, str], list[tuple[Outcome, bool]]](list)
    for one in found:
        a, b = one.item.model_a, one.item.model_b
        if not a or not b or a == b:
            continue
        met[a, b].append((one, True))
        met[b, a].append((one, False))
        items += [_pair_item(spec, one, settings, of_a=True), _pair_item(spec, one, settings, of_a=False)]
    results: list[Evaluation] = []
    for (model, opponent), played in sorted(met.items()):
        task = f"{spec.rubric.name} vs {opponent}"
        scores = [value for one, of_a in played if (value := score(one, of_a=of_a)) is not None]
        failed = len(played) - len(scores)
        results.append(_evaluation(spec, settings, model, task, "win_rate", share(scores), failed))
        flips = [float(not one.verdict.consistent) for one, _ in played if one.verdict is not None]
        if spec.both_orders and flips:
            inconsistent = share(flips)
            results.append(_evaluation(spec, settings, model, task, "orders_disagree", inconsistent, failed))
        controlled = length_controlled(_played(one for one, _ in played), model, against=opponent)
        if controlled is not None:
            low, high = (end / 100 for end in controlled.ci95)
            equal = Estimate(controlled.win_rate / 100, len(scores), low, high)
            results.append(_evaluation(spec, settings, model, task, "lc_win_rate", equal, failed))
    return items, results


def score(one: Outcome, *, of_a: bool) -> float | None:
    """1, ½ or 0 for one side of a pair; None without a verdict."""
    if one.verdict is None:
        return None
    if one.verdict.choice == "tie":
        return SCORES["tie"]
    return SCORES["won" if (one.verdict.choice == "a") == of_a else "lost"]


def _played(found: Iterable[Outcome]) -> list[Played]:
    rows = []
    for one in found:
        if one.verdict is not None:
            longer = float(len(one.item.response_a) - len(one.item.response_b))
            choice = one.verdict.choice
            rows.append(Played(one.item.model_a, one.item.model_b, choice, 1, longer, longer * longer))
    return rows


def _pair_item(spec: JudgeSpec, one: Outcome, settings: str, *, of_a: bool) -> Item:
    item = one.item
    opponent = item.model_b if of_a else item.model_a
    return Item(
        suite=_suite(spec),
        task=f"{spec.rubric.name} vs {opponent}",
        item=item.id,
        prompt=item.prompt,
        output=item.response_a if of_a else item.response_b,
        expected=item.response_b if of_a else item.response_a,
        scores={"win_rate": score(one, of_a=of_a)},
        parts={**_parts(one), "model": item.model_a if of_a else item.model_b, "opponent": opponent},
        error="" if one.verdict is not None else _no_verdict(one),
        settings=settings,
    )


def _parts(one: Outcome) -> dict[str, object]:
    parts: dict[str, object] = {"reason": one.reason}
    if one.verdict is not None:
        parts |= {"choice": one.verdict.choice, "orders_agree": one.verdict.consistent}
        if one.verdict.chance is not None:
            parts["probability"] = round(one.verdict.chance, 4)
    return parts


def _no_verdict(one: Outcome) -> str:
    statuses = sorted({call.status for call in one.calls if not call.label})
    return f"no verdict: {' and '.join(statuses)}"


def _evaluation(
    spec: JudgeSpec, settings: str, model: str, task: str, metric: str, found: Estimate, failed: int
) -> Evaluation:
    return Evaluation(
        model=model,
        suite=_suite(spec),
        task=task,
        metric=metric,
        value=found.value,
        n=found.n,
        low=found.low,
        high=found.high,
        stderr=found.stderr,
        better="lower" if metric == "orders_disagree" else "higher",
        settings=settings,
        run_id=spec.id,
        created_at=time.time(),
        errors=failed,
    )


def _suite(spec: JudgeSpec) -> str:
    return spec.labeler


def _settings(spec: JudgeSpec) -> str:
    """Hash of what a verdict depends on besides the answers."""
    who = spec.provider.model if spec.provider is not None else spec.model.path if spec.model else ""
    told = [spec.name, who, spec.mode, spec.rubric.version, spec.both_orders, spec.combine, spec.temperature]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
