"""What a row of an imported file becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rlft_tui.pairs.pairs_table import pair_digest
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.messages import RowError, checked_text, parse_messages
from rlft_tui.prompts.prompt import Message


@dataclass(frozen=True, slots=True)
class PairRow:
    """A good row of an imported file."""

    line: int
    pair: ResponsePair
    """Its id is its digest, so importing the same content elsewhere gives the same id."""
    chosen: Literal["a", "b"] | None = None
    """The side a preference row says is better; None for a pair without a verdict."""
    warnings: tuple[str, ...] = ()


def make_row(
    line: int,
    *,
    prompt: str,
    context: tuple[Message, ...],
    response_a: str,
    response_b: str,
    model_a: str,
    model_b: str,
    category: str,
    source: str,
    now: float,
    chosen: Literal["a", "b"] | None = None,
) -> PairRow:
    """A checked row: RowError without a prompt, warnings for empty and identical answers."""
    if not prompt.strip():
        raise RowError("prompt is empty")
    warnings = []
    if not response_a.strip() or not response_b.strip():
        warnings.append("an answer is empty")
    if response_a == response_b:
        warnings.append("the answers are identical" + ("; its verdict was left out" if chosen else ""))
        chosen = None
    pair = ResponsePair(
        id=pair_digest(prompt, context, response_a, response_b, model_a, model_b),
        prompt=prompt,
        response_a=response_a,
        response_b=response_b,
        model_a=model_a,
        model_b=model_b,
        category=category,
        source=source,
        context=context,
        created_at=now,
    )
    return PairRow(line, pair, chosen, tuple(warnings))


def answer_text(value: Any, column: str) -> str:
    """An answer given as text, or as the list of the one assistant message."""
    if not isinstance(value, list):
        return checked_text(value, column)
    messages = parse_messages(value, column)
    if len(messages) != 1 or messages[0].role != "assistant":
        raise RowError(f"{column} has to be one assistant message, and has {len(messages)} messages")
    return messages[0].content
