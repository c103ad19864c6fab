"""Values of an imported row, checked: text, and conversations in the forms people store them."""

from __future__ import annotations

import math
from typing import Any, cast

from rlft_tui.prompts.prompt import Message, Role

MAX_CHARACTERS = 1_000_000
"""Of one text. Longer ones are refused: no screen could show them."""
_ROLES = {"system", "user", "assistant"}
_OTHER_NAMES = {"human": "user", "gpt": "assistant"}
_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"


class RowError(Exception):
    """Why a row cannot be used; becomes the reason in the import report."""


def required_text(values: dict[str, Any], column: str) -> str:
    """The text in a column; RowError when it is missing, null or something else."""
    if column not in values:
        raise RowError(f"has no {column}")
    return checked_text(values[column], column)


def optional_text(values: dict[str, Any], *columns: str) -> str:
    """The text in the first of these columns that is filled in; empty when none is.

    Null counts as not filled in, and so does NaN, with which pandas writes a gap.
    """
    for column in columns:
        value = values.get(column)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        return checked_text(value, column)
    return ""


def checked_text(value: Any, column: str) -> str:
    """``value`` if it is text that can be stored."""
    if value is None:
        raise RowError(f"{column} is null")
    if isinstance(value, float) and math.isnan(value):
        raise RowError(f"{column} is NaN")
    if not isinstance(value, str):
        raise RowError(f"{column} is {_kind(value)}, not text")
    if len(value) > MAX_CHARACTERS:
        raise RowError(f"{column} is longer than {MAX_CHARACTERS:,} characters")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise RowError(f"{column} holds half a surrogate pair, which is no text") from None
    return value


def parse_messages(value: Any, column: str) -> tuple[Message, ...]:
    """A list of ``{role, content}`` (or ``{from, value}``) as messages."""
    if not isinstance(value, list):
        raise RowError(f"{column} is {_kind(value)}, not a list of messages")
    return tuple(_message(turn, f"{column}[{place}]") for place, turn in enumerate(value))


def split_prompt(messages: tuple[Message, ...], column: str) -> tuple[tuple[Message, ...], str]:
    """The turns before the last one, and the last one, which has to be the user's."""
    if not messages:
        raise RowError(f"{column} has no messages")
    if messages[-1].role != "user":
        raise RowError(f"{column} ends with the {messages[-1].role}, not with the user")
    if not messages[-1].content.strip():
        raise RowError(f"{column} is empty")
    return messages[:-1], messages[-1].content


def parse_transcript(text: str) -> tuple[Message, ...] | None:
    """An HH-RLHF transcript (Bai et al. 2022) as messages; None for any other text.

    Turns begin with ``\\n\\nHuman:`` and ``\\n\\nAssistant:``. A last turn left open
    for the answer gives an assistant message with empty content.
    """
    if not text.startswith(_HUMAN):
        return None
    messages: list[Message] = []
    rest = text
    while rest:
        role: Role = "user" if rest.startswith(_HUMAN) else "assistant"
        body = rest[len(_HUMAN if role == "user" else _ASSISTANT) :]
        ends = [place for mark in (_HUMAN, _ASSISTANT) if (place := body.find(mark)) >= 0]
        end = min(ends, default=len(body))
        messages.append(Message(role, body[:end].strip()))
        rest = body[end:]
    return tuple(messages)


def _message(turn: Any, where: str) -> Message:
    if not isinstance(turn, dict):
        raise RowError(f"{where} is {_kind(turn)}, not a message")
    role = turn.get("role", turn.get("from"))
    content = turn.get("content", turn.get("value"))
    role = _OTHER_NAMES.get(role, role) if isinstance(role, str) else role
    if not isinstance(role, str) or role not in _ROLES:
        shown = repr(role)[:40] if isinstance(role, str) else _kind(role)
        raise RowError(f"{where} has role {shown}; known: system, user, assistant")
    if isinstance(content, list):
        content = "".join(_part(part, where) for part in content)
    return Message(cast(Role, role), checked_text(content, f"{where} content"))


def _part(part: Any, where: str) -> str:
    if isinstance(part, dict) and part.get("type") == "text":
        return checked_text(part.get("text"), f"{where} text")
    raise RowError(f"{where} has content that is no text")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), "text" if isinstance(value, str) else f"a {type(value).__name__}")
