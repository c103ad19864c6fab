"""Argilla records, nested: fields, metadata, suggestions, responses.

A question's value is a ranking (a list of field names, best first) or a label that
names one of two answers. Discarded and draft responses are left out. A suggestion is a
verdict of the agent it names; without one it is left out. Flat records (``<question>.responses``)
are turned into nested ones by ``argilla_flat``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlft_tui.pairs.formats.ranked import Judgement, candidates, pairs_of, ranks_of
from rlft_tui.pairs.formats.values import moment, name_of
from rlft_tui.pairs.pair_row import Origin, PairRow, RowVerdict
from rlft_tui.prompts.messages import RowError

SAYS = "Argilla records"
_OPEN = {"draft", "discarded", "pending"}


def matches(values: dict[str, Any]) -> bool:
    return "fields" in values and ("responses" in values or "suggestions" in values)


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The record's pairs: one of two answers, all ranked ones of more. Raises RowError."""
    fields = values.get("fields")
    if not isinstance(fields, dict):
        raise RowError("fields is not an object")
    found = candidates(fields, _object(values.get("metadata")))
    names = list(found.answers)
    judgements: list[Judgement] = []
    for verdict, value in _answers(values):
        ranks = ranks_of(value, names)
        if ranks is not None:
            judgements.append((verdict, ranks))
    return pairs_of(line, found, judgements, origin)


def _answers(values: dict[str, Any]) -> Iterator[tuple[RowVerdict, Any]]:
    """Who answered, and what, for every question of the record."""
    responses = values.get("responses")
    when = moment(values.get("updated_at"))
    if isinstance(responses, dict):
        for answers in responses.values():
            for answer in _objects(answers):
                if not _is_open(answer):
                    yield (
                        RowVerdict("tie", name_of(answer.get("user_id")), created_at=when),
                        answer.get("value"),
                    )
    else:
        for response in _objects(responses):
            if _is_open(response):
                continue
            verdict = RowVerdict("tie", name_of(response.get("user_id")), created_at=when)
            for answer in _object(response.get("values")).values():
                yield verdict, _object(answer).get("value")
    suggestions = values.get("suggestions")
    if isinstance(suggestions, dict):
        suggestions = list(suggestions.values())
    for suggestion in _objects(suggestions):
        if agent := name_of(suggestion.get("agent")):
            yield RowVerdict("tie", agent, created_at=when), suggestion.get("value")


def _is_open(answer: Mapping[str, Any]) -> bool:
    status = answer.get("status")
    return isinstance(status, str) and status in _OPEN


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
