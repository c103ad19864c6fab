"""A conversation as token ids, and which of them the assistant says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlft_tui.datasets.rows import CompletionRow, Conversation


@dataclass(frozen=True, slots=True)
class ConversationTokens:
    """Two lists of one length."""

    ids: list[int]
    assistant: list[int]
    """1 where the assistant of the completion says the token, its end of turn included; else 0."""

    def answers(self) -> list[tuple[int, int]]:
        """Begin and end of each run of the assistant's tokens."""
        edges = [0, *self.assistant, 0]
        begins = [at for at in range(len(self.ids)) if edges[at + 1] and not edges[at]]
        ends = [at + 1 for at in range(len(self.ids)) if edges[at + 1] and not edges[at + 2]]
        return list(zip(begins, ends, strict=True))


def conversation_tokens(tokenizer: Any, row: CompletionRow) -> ConversationTokens:
    """The whole row through the chat template.

    An answer is what its message adds behind the generation prompt, as TRL marks a completion:
    where the two renderings part, because a template renders a prompt alone otherwise, the answer
    begins there.
    """
    messages = row.prompt + row.completion
    ids = _render(tokenizer, messages)
    assistant = [0] * len(ids)
    for at in range(len(row.prompt), len(messages)):
        if messages[at]["role"] != "assistant":
            continue
        before = _render(tokenizer, messages[:at], add_generation_prompt=True)
        after = ids if at == len(messages) - 1 else _render(tokenizer, messages[: at + 1])
        begin, end = _shared(before, ids), _shared(after, ids)
        assistant[begin:end] = [1] * (end - begin)
    return ConversationTokens(ids, assistant)


def _render(tokenizer: Any, messages: Conversation, **options: bool) -> list[int]:
    return list(tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"])


def _shared(left: list[int], right: list[int]) -> int:
    """How many tokens both begin with."""
    for at, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return at
    return min(len(left), len(right))
