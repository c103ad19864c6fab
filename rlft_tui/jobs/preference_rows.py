"""Comparisons and judged answers as the tokens that are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlft_tui.datasets.rows import Conversation, PreferenceRow

__all__ = ["Conversation", "PreferenceRow", "TokenRow", "tokenise", "tokenise_answer"]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Token ids of one comparison; the loss falls on ``chosen`` and ``rejected`` only."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def tokenise(tokenizer: Any, row: PreferenceRow) -> TokenRow:
    """Exactly TRL's way: answers begin where the renderings with and without them part.

    That is behind the generation prompt, but for templates that render a prompt alone otherwise.
    """
    prompt = prompt_tokens(tokenizer, row.prompt)
    chosen = _template(tokenizer, row.prompt + row.chosen)
    rejected = _template(tokenizer, row.prompt + row.rejected)
    begin = min(shared_beginning(prompt, chosen), shared_beginning(prompt, rejected))
    return TokenRow(prompt[:begin], chosen[begin:], rejected[begin:])


def tokenise_answer(
    tokenizer: Any, prompt: Conversation, completion: Conversation
) -> tuple[list[int], list[int]]:
    """Token ids of a prompt and of one answer to it, in the same way."""
    before = prompt_tokens(tokenizer, prompt)
    whole = _template(tokenizer, prompt + completion)
    begin = shared_beginning(before, whole)
    return before[:begin], whole[begin:]


def prompt_tokens(tokenizer: Any, prompt: Conversation) -> list[int]:
    """Token ids of a prompt up to where the answer begins."""
    return _template(tokenizer, prompt, add_generation_prompt=True)


def shared_beginning(ids: list[int], others: list[int]) -> int:
    """How many tokens both begin with."""
    for at, (one, other) in enumerate(zip(ids, others, strict=False)):
        if one != other:
            return at
    return min(len(ids), len(others))


def _template(tokenizer: Any, messages: Conversation, **options: bool) -> list[int]:
    return list(tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"])
