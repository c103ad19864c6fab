"""Two answers to one prompt, to be compared."""

from __future__ import annotations

from typing import Any

from msgspec import field

from rlft_tui.prompts.prompt import Message
from rlft_tui.record import Record


class ResponsePair(Record, frozen=True):
    """One row of ``examples``. Sides a and b are as stored, never as shown."""

    id: str
    prompt: str
    response_a: str
    response_b: str
    model_a: str = ""
    model_b: str = ""
    category: str = ""
    source: str = ""
    """Where it came from: a file name, ``run:<id>`` or ``compare``."""
    context: tuple[Message, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    """How the answers were made: sampling settings and seeds, by side."""
    created_at: float = 0.0
    """Unix seconds."""
