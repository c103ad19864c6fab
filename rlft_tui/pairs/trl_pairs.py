"""TRL preference rows: prompt (or the shared beginning), chosen, rejected. They bring a verdict."""

from __future__ import annotations

from typing import Any, Literal

from rlft_tui.pairs.pair_row import PairRow, answer_text, make_row
from rlft_tui.pairs.pairs_table import pair_digest
from rlft_tui.prompts.messages import (
    RowError,
    checked_text,
    optional_text,
    parse_messages,
    parse_transcript,
    split_prompt,
)
from rlft_tui.prompts.prompt import Message

Answers = tuple[tuple[Message, ...], str, str, str]
"""Turns before the prompt, prompt, chosen answer, rejected answer."""


def is_trl(values: dict[str, Any]) -> bool:
    """Whether a row has the columns of this form."""
    return "chosen" in values or "rejected" in values


def parse_trl(line: int, values: dict[str, Any], *, source: str, now: float) -> PairRow:
    """A row in standard or conversational form, with a prompt of its own or an implicit one.

    Which answer becomes side a follows from the answers alone, so that the chosen one is
    on either side equally often and the same two answers always make the same pair.
    Raises RowError.
    """
    for column in ("chosen", "rejected"):
        if column not in values:
            raise RowError(f"has no {column}")
    context, prompt, chosen, rejected = _answers(values)
    model_chosen = optional_text(values, "chosen_model", "chosen-model", "model_chosen")
    model_rejected = optional_text(values, "rejected_model", "rejected-model", "model_rejected")
    sides = [(chosen, model_chosen), (rejected, model_rejected)]
    if pair_digest("", (), *sides[0], "", "") > pair_digest("", (), *sides[1], "", ""):
        sides.reverse()
    side: Literal["a", "b"] = "a" if sides[0] == (chosen, model_chosen) else "b"
    return make_row(
        line,
        prompt=prompt,
        context=context,
        response_a=sides[0][0],
        response_b=sides[1][0],
        model_a=sides[0][1],
        model_b=sides[1][1],
        category=optional_text(values, "category"),
        source=source,
        now=now,
        chosen=side,
    )


def _answers(values: dict[str, Any]) -> Answers:
    prompt, chosen, rejected = values.get("prompt"), values["chosen"], values["rejected"]
    if isinstance(chosen, list) != isinstance(rejected, list):
        raise RowError("chosen and rejected are one text and one list of messages")
    if isinstance(chosen, list):
        return _from_messages(prompt, chosen, rejected)
    if isinstance(prompt, list):
        context, text = split_prompt(parse_messages(prompt, "prompt"), "prompt")
        return context, text, checked_text(chosen, "chosen"), checked_text(rejected, "rejected")
    better, worse = checked_text(chosen, "chosen"), checked_text(rejected, "rejected")
    text = optional_text(values, "prompt")
    if not text:
        return _from_texts(better, worse)
    turns = parse_transcript(text)
    if turns is None:
        return (), text, better, worse
    if turns[-1].role == "assistant" and not turns[-1].content:
        turns = turns[:-1]
    context, text = split_prompt(turns, "prompt")
    return context, text, better, worse


def _from_messages(prompt: Any, chosen: list[Any], rejected: list[Any]) -> Answers:
    if isinstance(prompt, list):
        context, text = split_prompt(parse_messages(prompt, "prompt"), "prompt")
        return context, text, answer_text(chosen, "chosen"), answer_text(rejected, "rejected")
    if isinstance(prompt, str) and len(chosen) == len(rejected) == 1:
        return (), prompt, answer_text(chosen, "chosen"), answer_text(rejected, "rejected")
    return _split_conversations(parse_messages(chosen, "chosen"), parse_messages(rejected, "rejected"))


def _from_texts(chosen: str, rejected: str) -> Answers:
    turns, other = parse_transcript(chosen), parse_transcript(rejected)
    if turns is not None and other is not None:
        return _split_conversations(turns, other)
    shared = 0
    for one, two in zip(chosen, rejected, strict=False):
        if one != two:
            break
        shared += 1
    # A word that both answers begin with belongs to the answers.
    while 0 < shared < min(len(chosen), len(rejected)) and not chosen[shared - 1].isspace():
        shared -= 1
    prompt = chosen[:shared].rstrip()
    if chosen == rejected or not prompt:
        raise RowError("has no prompt, and chosen and rejected share no beginning that could be one")
    return (), prompt, chosen[shared:], rejected[shared:]


def _split_conversations(chosen: tuple[Message, ...], rejected: tuple[Message, ...]) -> Answers:
    """Two conversations that differ in their last turn only."""
    if not chosen or not rejected:
        raise RowError("chosen or rejected has no messages")
    if chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        raise RowError("chosen and rejected have to end with the assistant")
    if chosen[:-1] != rejected[:-1]:
        raise RowError("chosen and rejected differ before the last answer")
    context, prompt = split_prompt(chosen[:-1], "the shared beginning")
    return context, prompt, chosen[-1].content, rejected[-1].content
