"""What a reward function is: TRL's signature, and what it is given.

    def reward(prompts, completions, completion_ids, **columns): ...

``prompts`` and ``completions`` hold one entry a text to be scored: a string, or the
messages of a conversation. ``completion_ids`` are the completion's tokens. ``columns``
are the data set's further columns, one entry a text each, and ``trainer_state``,
``log_extra(name, values)`` and ``log_metric(name, value)``. The answer is a list with a
number for each text, or None for a text that this reward does not judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Protocol

Reward = float | None
Text = str | Sequence[dict[str, Any]]
"""A string, or messages with role and content."""

_WORD = re.compile(r"[^\W_]+(?:['’‐‑-][^\W_]+)*")
_ONE_FORM = str.maketrans({"’": "'", "‐": "-", "‑": "-"})


class RewardFunction(Protocol):
    """What a trainer calls once a batch."""

    def __call__(
        self, prompts: Sequence[Text], completions: Sequence[Text], completion_ids: Any = None, **columns: Any
    ) -> Sequence[Reward]: ...


def plain_text(text: Text) -> str:
    """A string as it is; of messages the contents, one after the other."""
    if isinstance(text, str):
        return text
    return "\n".join(str(message.get("content") or "") for message in text)


def words(text: str) -> list[str]:
    """The words of a text, caseless and in one Unicode form (NFC).

    A word is a run of letters and digits; a hyphen or an apostrophe inside it belongs to
    it, so "well-known" and "don't" are one word each.
    """
    plain = unicodedata.normalize("NFC", text.translate(_ONE_FORM)).casefold()
    return _WORD.findall(plain)
