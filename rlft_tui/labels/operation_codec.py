"""Label operations as plain values: how they travel and how the journal holds them."""

from __future__ import annotations

from typing import Any

import msgspec

from rlft_tui.errors import RlftError
from rlft_tui.labels.feedback import FEEDBACK_KINDS, Feedback, check_feedback
from rlft_tui.labels.operations import Operation
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    LabelOperation,
    Mark,
    Preference,
    Revocation,
)
from rlft_tui.labels.ranking import Ranking, check_ranking
from rlft_tui.labels.reliability import GoldAnswer

_TYPES: dict[str, type[LabelOperation]] = {
    "preference": Preference,
    "betteranswer": BetterAnswer,
    "revocation": Revocation,
    # A mark is told by its own kind.
    "skip": Mark,
    "flag": Mark,
}


def operation_from(values: object) -> LabelOperation:
    """The operation in plain values tagged with ``kind``; RlftError names the field that is wrong."""
    if not isinstance(values, dict):
        raise RlftError("a label operation is an object with kind, id and the rest")
    kind = _TYPES.get(str(values.get("kind")))
    if kind is None:
        raise RlftError(
            f"unknown label operation {values.get('kind')!r}", remedy=f"kind is one of {', '.join(_TYPES)}"
        )
    try:
        operation = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise RlftError(f"not a valid {kind.__name__.lower()}: {error}") from None
    if not operation.id or not operation.labeler_id:
        raise RlftError("a label operation needs an id and a labeler_id")
    if isinstance(operation, Preference):
        _check_verdict(operation)
    if isinstance(operation, BetterAnswer) and not operation.text.strip():
        raise RlftError("a better answer needs a text")
    return operation


def _check_verdict(verdict: Preference) -> None:
    if verdict.confidence not in (None, 1, 2, 3, 4, 5):
        raise RlftError(f"confidence is 1 to 5, not {verdict.confidence}")
    if verdict.strength not in (None, 1, 2, 3, 4):
        raise RlftError(f"strength is 1 (negligibly) to 4 (significantly better), not {verdict.strength}")
    if verdict.strength is not None and verdict.choice == "tie":
        raise RlftError("a tie has no strength")
    if verdict.quality and verdict.choice != "tie":
        raise RlftError(f"{verdict.quality} goes with a tie only")


def journalled_from(values: object) -> Operation:
    """Like ``operation_from``, for scores (told by their own kind), rankings and gold answers too."""
    kind = values.get("kind") if isinstance(values, dict) else None
    try:
        if kind in FEEDBACK_KINDS:
            feedback = msgspec.convert(values, Feedback)
            check_feedback(feedback)
            return feedback
        if kind == "ranking":
            ranking = msgspec.convert(values, Ranking)
            check_ranking(ranking)
            return ranking
        if kind == "goldanswer":
            answer = msgspec.convert(values, GoldAnswer)
            if not answer.id or not answer.example_id:
                raise RlftError("a gold answer needs an id and an example_id")
            return answer
    except msgspec.ValidationError as error:
        raise RlftError(f"not a valid {kind}: {error}") from None
    return operation_from(values)


def plain_values(operation: Operation) -> dict[str, Any]:
    """The operation as ``operation_from`` reads it."""
    return {"kind": type(operation).__name__.lower(), **msgspec.to_builtins(operation)}


def history_entry_from(values: dict[str, Any]) -> HistoryEntry:
    """A history entry from plain values; its operation is tagged as ``plain_values`` does."""
    operation = operation_from(values["operation"])
    assert not isinstance(operation, Revocation)
    return HistoryEntry(operation, values["prompt"], values["revoked"], values.get("superseded", False))


def plain_history_entry(entry: HistoryEntry) -> dict[str, Any]:
    """The entry as ``history_entry_from`` reads it."""
    return {
        "operation": plain_values(entry.operation),
        "prompt": entry.prompt,
        "revoked": entry.revoked,
        "superseded": entry.superseded,
    }
