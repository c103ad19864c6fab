"""Argilla records, flat, as its exports to Hugging Face are: ``<question>.responses`` beside the fields."""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats import argilla
from rlft_tui.pairs.pair_row import Origin, PairRow

SAYS = "Argilla records, flat"
_RESPONSES, _SUGGESTION = ".responses", ".suggestion"


def matches(values: dict[str, Any]) -> bool:
    return any(column.endswith((_RESPONSES, _SUGGESTION)) for column in values)


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The record's pairs, see ``argilla``. Raises RowError."""
    return argilla.parse(line, nested(values), origin)


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """The record in its nested form; columns without a dot are fields and metadata at once."""
    responses, suggestions = {}, {}
    for column, value in values.items():
        if column.endswith(_RESPONSES):
            users = values.get(f"{column}.users")
            states = values.get(f"{column}.status")
            answers = value if isinstance(value, list) else []
            responses[column] = [
                {"value": answer, "user_id": _at(users, place), "status": _at(states, place)}
                for place, answer in enumerate(answers)
            ]
        elif column.endswith(_SUGGESTION):
            suggestions[column] = {"value": value, "agent": values.get(f"{column}.agent")}
    plain = {column: value for column, value in values.items() if "." not in column}
    metadata = {
        column.removeprefix("metadata."): value
        for column, value in values.items()
        if column.startswith("metadata.")
    }
    return {
        "fields": plain,
        "metadata": {**plain, **metadata},
        "responses": responses,
        "suggestions": suggestions,
        "updated_at": values.get("_updated_at"),
    }


def _at(values: Any, place: int) -> Any:
    return values[place] if isinstance(values, list) and place < len(values) else None
