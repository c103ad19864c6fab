"""Values as foreign files write them: numbers in text, times in several forms, lists in JSON."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from rlft_tui.pairs.pair_row import Choice, Quality
from rlft_tui.prompts.messages import RowError, checked_text

_LATEST = 253_402_300_800.0
"""The year 10000, in unix seconds."""
_TIES = {"tie", "draw", "equal", "same", "both", "neither"}
_BOTH_GOOD = {"both_good", "bothgood", "tie (bothgood)", "tie (both good)", "both good"}
_BOTH_BAD = {"both_bad", "bothbad", "tie (bothbad)", "tie (both bad)", "both bad", "neither"}
_YES = {"true", "1", "1.0", "yes", "good"}
_NO = {"false", "0", "0.0", "no", "bad"}


def is_blank(value: Any) -> bool:
    """Null, empty text, and NaN, with which pandas writes a gap."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def number(value: Any, column: str) -> float | None:
    """A finite number, also when it is written as text; None for a gap."""
    if is_blank(value):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise RowError(f"{column} is {value[:40]!r}, not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RowError(f"{column} is not a number")
    try:
        found = float(value)
    except (OverflowError, ValueError):
        found = math.inf
    if not math.isfinite(found):
        raise RowError(f"{column} is no finite number")
    return found


def whole_number(value: Any, column: str, least: int, most: int) -> int | None:
    """A whole number in a range; None for a gap."""
    found = number(value, column)
    if found is None:
        return None
    if found != int(found) or not least <= found <= most:
        raise RowError(f"{column} is {found:g}, not a whole number from {least} to {most}")
    return int(found)


def truth(value: Any, column: str) -> bool:
    """True or false, also as 0 and 1 or as text."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise RowError(f"{column} is neither true nor false")


def moment(value: Any) -> float:
    """Unix seconds of a number, a datetime or an ISO text; 0 for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0.0
    if isinstance(value, datetime):
        try:
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        except (OverflowError, ValueError):
            return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 < value < _LATEST else 0.0


def name_of(value: Any) -> str:
    """An annotator's name given as text, number or ``{"email", "id"}``; empty for anything else."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int) or is_blank(value):
        return ""
    return checked_text(str(value), "annotator").strip()[:200]


def json_list(value: Any, column: str) -> list[Any]:
    """A list, also when it is written as JSON in a text."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except (orjson.JSONDecodeError, RecursionError):
            raise RowError(f"{column} is not a list in JSON") from None
    if not isinstance(value, list):
        raise RowError(f"{column} is not a list")
    return value


def verdict_word(value: str, names: tuple[str, str]) -> tuple[Choice, Quality] | None:
    """What a label says, as choice and quality; None for a word that names neither side nor a tie.

    A side is named by its field (``response-1``) or by what tells the two fields apart
    (``1``); a, left and first mean the first, b, right and second the other.
    """
    word = value.strip().lower()
    if word in _BOTH_GOOD:
        return "tie", "both_good"
    if word in _BOTH_BAD:
        return "tie", "both_bad"
    if word in _TIES:
        return "tie", ""
    first, second = (name.lower() for name in names)
    short = (_own_end(first, second), _own_end(second, first))
    if word in (first, short[0]):
        return "a", ""
    if word in (second, short[1]):
        return "b", ""
    if word in ("a", "left", "first", "model_a", "response_a"):
        return "a", ""
    if word in ("b", "right", "second", "model_b", "response_b"):
        return "b", ""
    return None


def _own_end(name: str, other: str) -> str:
    """What is left of a name without the beginning it shares with the other."""
    shared = 0
    for mine, theirs in zip(name, other, strict=False):
        if mine != theirs:
            break
        shared += 1
    return name[shared:]
