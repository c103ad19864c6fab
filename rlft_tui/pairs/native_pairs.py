"""The plain form of a pair: prompt, response_a, response_b, model_a, model_b, category."""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.pair_row import PairRow, answer_text, make_row
from rlft_tui.prompts.messages import RowError, optional_text, parse_messages, required_text, split_prompt
from rlft_tui.prompts.prompt import Message


def is_native(values: dict[str, Any]) -> bool:
    """Whether a row has the columns of this form."""
    return "response_a" in values or "response_b" in values


def parse_native(line: int, values: dict[str, Any], *, source: str, now: float) -> PairRow:
    """A row as a pair. ``prompt`` may be a list of messages, ``context`` the turns before it."""
    context: tuple[Message, ...] = ()
    if isinstance(values.get("prompt"), list):
        context, prompt = split_prompt(parse_messages(values["prompt"], "prompt"), "prompt")
    else:
        prompt = required_text(values, "prompt")
        if isinstance(values.get("context"), list):
            context = parse_messages(values["context"], "context")
    for column in ("response_a", "response_b"):
        if column not in values:
            raise RowError(f"has no {column}")
    return make_row(
        line,
        prompt=prompt,
        context=context,
        response_a=answer_text(values["response_a"], "response_a"),
        response_b=answer_text(values["response_b"], "response_b"),
        model_a=optional_text(values, "model_a"),
        model_b=optional_text(values, "model_b"),
        category=optional_text(values, "category"),
        source=source,
        now=now,
    )
