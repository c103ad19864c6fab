"""TRL preference rows: prompt (or the shared beginning), chosen, rejected. They bring a verdict."""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats.values import number
from rlft_tui.pairs.pair_row import Origin, PairRow, answer_text, preference_row
from rlft_tui.prompts.messages import (
    RowError,
    checked_text,
    optional_text,
    parse_messages,
    parse_transcript,
    split_prompt,
)
from rlft_tui.prompts.prompt import Message

SAYS = "TRL preference rows (prompt, chosen, rejected)"
Answers = tuple[tuple[Message, ...], str, str, str]
"""Turns before the prompt, prompt, chosen answer, rejected answer."""
_SCORES = {
    "chosen": ("score_chosen", "chosen_score", "chosen-rating", "chosen_rating"),
    "rejected": ("score_rejected", "rejected_score", "rejected-rating", "rejected_rating"),
}


def matches(values: dict[str, Any]) -> bool:
    return "chosen" in values or "rejected" in values


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """A row in standard or conversational form, with a prompt of its own or an implicit one.

    Scores of the answers are kept in the pair's settings. Raises RowError.
    """
    return (preference(line, values, origin),)


def preference(line: int, values: dict[str, Any], origin: Origin, *, category: str = "") -> PairRow:
    """The pair of a row with chosen and rejected; ``category`` counts when the row has none."""
    for column in ("chosen", "rejected"):
        if column not in values:
            raise RowError(f"has no {column}")
    context, prompt, chosen, rejected = answers(values)
    return preference_row(
        line,
        prompt=prompt,
        context=context,
        better=(chosen, optional_text(values, "chosen_model", "chosen-model", "model_chosen")),
        worse=(rejected, optional_text(values, "rejected_model", "rejected-model", "model_rejected")),
        category=optional_text(values, "category") or category,
        origin=origin,
        settings=(_score(values, "chosen"), _score(values, "rejected")) if len(values) > 3 else None,
    )


def _score(values: dict[str, Any], side: str) -> dict[str, Any]:
    for column in _SCORES[side]:
        if (score := number(values.get(column), column)) is not None:
            return {"score": score}
    return {}


def answers(values: dict[str, Any]) -> Answers:
    """Earlier turns, prompt, chosen and rejected answer of a row; RowError for one that has none."""
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
    return *text_prompt(text), better, worse


def text_prompt(text: str) -> tuple[tuple[Message, ...], str]:
    """Earlier turns and the question of a prompt in plain text or as an HH-RLHF transcript."""
    turns = parse_transcript(text)
    if turns is None:
        return (), text
    if turns[-1].role == "assistant" and not turns[-1].content:
        turns = turns[:-1]
    return split_prompt(turns, "prompt")


def _from_messages(prompt: Any, chosen: list[Any], rejected: list[Any]) -> Answers:
    if isinstance(prompt, list):
        context, text = split_prompt(parse_messages(prompt, "prompt"), "prompt")
        return context, text, answer_text(chosen, "chosen"), answer_text(rejected, "rejected")
    if isinstance(prompt, str) and len(chosen) == len(rejected) == 1:
        text = checked_text(prompt, "prompt")
        return (), text, answer_text(chosen, "chosen"), answer_text(rejected, "rejected")
    return split_conversations(parse_messages(chosen, "chosen"), parse_messages(rejected, "rejected"))


def _from_texts(chosen: str, rejected: str) -> Answers:
    turns, other = parse_transcript(chosen), parse_transcript(rejected)
    if turns is not None and other is not None:
        return split_conversations(turns, other)
    shared = _shared_length(chosen, rejected)
    # A word that both answers begin with belongs to the answers.
    while 0 < shared < min(len(chosen), len(rejected)) and not chosen[shared - 1].isspace():
        shared -= 1
    prompt = chosen[:shared].rstrip()
    if chosen == rejected or not prompt:
        raise RowError("has no prompt, and chosen and rejected share no beginning that could be one")
    return (), prompt, chosen[shared:], rejected[shared:]


def _shared_length(one: str, two: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def split_conversations(
    chosen: tuple[Message, ...],
    rejected: tuple[Message, ...],
    names: tuple[str, str] = ("chosen", "rejected"),
) -> Answers:
    """Two conversations that differ in their last turn only."""
    both = " and ".join(names)
    if not chosen or not rejected:
        raise RowError(f"{' or '.join(names)} has no messages")
    if chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        raise RowError(f"{both} have to end with the assistant")
    if chosen[:-1] != rejected[:-1]:
        raise RowError(f"{both} differ before the last answer")
    context, prompt = split_prompt(chosen[:-1], "the shared beginning")
    return context, prompt, chosen[-1].content, rejected[-1].content
