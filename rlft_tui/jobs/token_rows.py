"""A row as the token ids that a method's trainer gets, and which of them it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rlft_tui.datasets.rows import ScoredRow
from rlft_tui.jobs.conversation_tokens import conversation_tokens
from rlft_tui.jobs.preference_rows import prompt_tokens, tokenise, tokenise_answer


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence; two lists of one length."""

    ids: list[int]
    loss: list[bool]
    """Whether the loss counts the token; for a reward model, whether the score is read at it."""

    def answer(self) -> list[int]:
        """The tokens that the loss counts."""
        return [token for token, counted in zip(self.ids, self.loss, strict=True) if counted]


@dataclass(frozen=True, slots=True)
class TokenisedRow:
    """All sequences that one row gives."""

    prompt: int
    """Tokens before the first answer."""
    sides: dict[str, Sequence]


def _answered(prompt: list[int], answer: list[int]) -> Sequence:
    return Sequence(prompt + answer, [False] * len(prompt) + [True] * len(answer))


def _compared(tokenizer: Any, row: Any) -> TokenisedRow:
    tokens = tokenise(tokenizer, row)
    sides = {"chosen": tokens.chosen, "rejected": tokens.rejected}
    return TokenisedRow(
        len(tokens.prompt), {side: _answered(tokens.prompt, ids) for side, ids in sides.items()}
    )


def _scored(tokenizer: Any, row: Any) -> TokenisedRow:
    if isinstance(row, ScoredRow):
        prompt, answer = tokenise_answer(tokenizer, row.prompt, row.completion)
        ids = prompt + answer
        read = [False] * (len(ids) - 1) + [True]
        return TokenisedRow(len(prompt), {f"scored {row.score:g}": Sequence(ids, read)})
    compared = _compared(tokenizer, row)
    sides = {
        side: Sequence(each.ids, [False] * (len(each.ids) - 1) + [True])
        for side, each in compared.sides.items()
    }
    return TokenisedRow(compared.prompt, sides)


def _judged(tokenizer: Any, row: Any) -> TokenisedRow:
    prompt, answer = tokenise_answer(tokenizer, row.prompt, row.completion)
    return TokenisedRow(len(prompt), {"wanted" if row.label else "unwanted": _answered(prompt, answer)})


def _imitated(tokenizer: Any, row: Any) -> TokenisedRow:
    tokens = conversation_tokens(tokenizer, row)
    loss = [bool(one) for one in tokens.assistant]
    return TokenisedRow(loss.index(True) if any(loss) else len(loss), {"answer": Sequence(tokens.ids, loss)})


def _asked(tokenizer: Any, row: Any) -> TokenisedRow:
    ids = prompt_tokens(tokenizer, row.prompt)
    return TokenisedRow(len(ids), {"prompt": Sequence(ids, [False] * len(ids))})


TOKENISED: dict[str, Callable[[Any, Any], TokenisedRow]] = {
    "sft": _imitated,
    "reward": _scored,
    "dpo": _compared,
    "kto": _judged,
    "grpo": _asked,
    "rloo": _asked,
    "ppo": _asked,
}
"""By method: tokenizer and row to its tokens."""
