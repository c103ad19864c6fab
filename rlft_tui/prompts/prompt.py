"""A prompt: what a model is asked."""

from __future__ import annotations

from typing import Literal

from rlft_tui.record import Record

Role = Literal["system", "user", "assistant"]


class Message(Record, frozen=True):
    """One turn of a conversation, as chat templates take it."""

    role: Role
    content: str


class Prompt(Record, frozen=True):
    """One question, with the turns before it if there are any."""

    id: str
    prompt: str
    """The last user turn."""
    context: tuple[Message, ...] = ()
    """System prompt and earlier turns, oldest first."""
    category: str = ""
    source: str = ""
    created_at: float = 0.0
    """Unix seconds."""


def conversation(prompt: str, context: tuple[Message, ...] = ()) -> list[dict[str, str]]:
    """The messages a chat template takes, ending with the user's turn."""
    turns = [{"role": turn.role, "content": turn.content} for turn in context]
    return [*turns, {"role": "user", "content": prompt}]
