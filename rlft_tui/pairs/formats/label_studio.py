"""Label Studio tasks: data and annotations, with Pairwise, Ranker or a choice of one of two answers.

The labelling configuration is not in an export, so left is the first answer of ``data``
and right the second, unless ``to_name`` names both. Cancelled annotations are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft_tui.pairs.formats.ranked import Candidates, Judgement, candidates, pairs_of, ranks_of
from rlft_tui.pairs.formats.values import moment, name_of
from rlft_tui.pairs.pair_row import Origin, PairRow, Quality, RowVerdict
from rlft_tui.prompts.messages import RowError, checked_text

SAYS = "Label Studio tasks"
_LISTS = ("items", "answers", "responses", "candidates")
_LONGEST = 10.0**7
"""Seconds; a longer lead time is no time spent."""


def matches(values: dict[str, Any]) -> bool:
    return "data" in values and ("annotations" in values or "completions" in values)


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The task's pairs: one of two answers, all ranked ones of more. Raises RowError."""
    data = values.get("data")
    if not isinstance(data, dict):
        raise RowError("data is not an object")
    found, names = _candidates(data)
    given = values.get("annotations", values.get("completions"))
    judgements: list[Judgement] = []
    for annotation in given if isinstance(given, list) else []:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        verdict = _verdict(annotation)
        results = annotation.get("result")
        judgements += [
            (verdict, ranks)
            for result in (results if isinstance(results, list) else [])
            if isinstance(result, dict) and (ranks := _ranks(result, names))
        ]
    return pairs_of(line, found, judgements, origin)


def _candidates(data: dict[str, Any]) -> tuple[Candidates, dict[str, str]]:
    """The answers, and what an annotation may call each of them."""
    for column in _LISTS:
        items = data.get(column)
        if not isinstance(items, list) or not items:
            continue
        fields: dict[str, Any] = {name: value for name, value in data.items() if name != column}
        names: dict[str, str] = {}
        models: dict[str, Any] = {}
        for place, item in enumerate(items, 1):
            if not isinstance(item, dict):
                raise RowError(f"{column}[{place - 1}] is not an object")
            answer = f"answer{place}"
            fields[answer] = next((item[key] for key in ("body", "text", "html") if key in item), None)
            models[f"{answer}_model"] = item.get("model")
            names[_key(item.get("id", place))] = answer
        return candidates(fields, {**data, **models}), names
    found = candidates(data, data)
    return found, {name: name for name in found.answers}


def _verdict(annotation: Mapping[str, Any]) -> RowVerdict:
    seconds = annotation.get("lead_time")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < _LONGEST
    return RowVerdict(
        "tie",
        name_of(annotation.get("completed_by")),
        time_spent_ms=round(1000 * seconds) if known else 0,  # type: ignore[operator]
        created_at=moment(annotation.get("created_at")),
    )


def _ranks(result: Mapping[str, Any], names: dict[str, str]) -> dict[str, tuple[int, Quality]] | None:
    value = result.get("value")
    if not isinstance(value, dict):
        return None
    answers = list(names.values())
    if (selected := value.get("selected")) is not None:
        return ranks_of(_side(selected, result.get("to_name"), answers), answers)
    if (order := value.get("ranker")) is not None:
        if isinstance(order, dict):
            if len(order) != 1:
                raise RowError("the ranker has several buckets, which have no order")
            (order,) = order.values()
        if not isinstance(order, list):
            return None
        return ranks_of([names.get(_key(one), "") for one in order], answers)
    choices = value.get("choices")
    if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], str):
        return ranks_of(choices[0], answers)
    return None


def _key(value: Any) -> str:
    """An item's id as text; empty for what is no id."""
    return str(value)[:200] if isinstance(value, str | int) else ""


def _side(selected: Any, to_name: Any, answers: list[str]) -> str:
    word = checked_text(selected, "selected")
    order = [name.strip() for name in to_name.split(",")] if isinstance(to_name, str) else []
    if word in ("left", "right") and len(order) == 2 and set(order) == set(answers):
        return order[word == "right"]
    return word
