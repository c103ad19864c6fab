"""Chatbot Arena votes: LMArena's 33k, 100k and 140k, with conversation_a and conversation_b.

A vote is on the last answers; conversations whose earlier answers differ too are refused,
because a pair has one beginning. ``judge`` (33k) or ``judge_hash`` (100k) is the labeller.
"""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats.trl import split_conversations
from rlft_tui.pairs.formats.values import is_blank, json_list, moment, name_of, verdict_word
from rlft_tui.pairs.pair_row import Origin, PairRow, RowVerdict, make_row
from rlft_tui.prompts.messages import RowError, checked_text, optional_text, parse_messages
from rlft_tui.prompts.prompt import Message

SAYS = "LMArena votes (conversation_a, conversation_b, winner)"
_SIDES = ("model_a", "model_b")
_NAMES = ("conversation_a", "conversation_b")


def matches(values: dict[str, Any]) -> bool:
    return "model_a" in values and ("conversation_a" in values or "full_conversation" in values)


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The row's pair. Raises RowError."""
    context, prompt, first, second = split_conversations(*_conversations(values), _NAMES)
    row = make_row(
        line,
        prompt=prompt,
        context=context,
        responses=(first, second),
        models=(optional_text(values, "model_a"), optional_text(values, "model_b")),
        category=_category(values),
        origin=origin,
        verdicts=_verdict(values),
    )
    return (row,)


def _conversations(values: dict[str, Any]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    if any(not is_blank(values.get(name)) for name in _NAMES):
        one, two = (tuple(parse_messages(json_list(values.get(name), name), name)) for name in _NAMES)
        return one, two
    turns = json_list(values.get("full_conversation"), "full_conversation")
    sides: dict[str, list[Any]] = {"model_side_a": [], "model_side_b": []}
    for place, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise RowError(f"full_conversation[{place}] is not an object")
        for side, messages in sides.items():
            messages += [turn.get("user"), turn.get(side)]
    one, two = (parse_messages(messages, "full_conversation") for messages in sides.values())
    return one, two


def _verdict(values: dict[str, Any]) -> tuple[RowVerdict, ...]:
    if is_blank(values.get("winner")):
        return ()
    said = verdict_word(checked_text(values["winner"], "winner"), _SIDES)
    if said is None:
        raise RowError(f"winner is {values['winner'][:40]!r}; known: model_a, model_b, tie, both_bad")
    choice, quality = said
    labeler = name_of(values.get("judge")) or name_of(values.get("judge_hash"))
    when = moment(values.get("tstamp")) or moment(values.get("timestamp"))
    return (RowVerdict(choice, labeler, quality=quality, created_at=when),)


def _category(values: dict[str, Any]) -> str:
    if values.get("is_code") is True:
        return "code"
    tags = values.get("category_tag")
    math_tag = tags.get("math_v0.1") if isinstance(tags, dict) else None
    if isinstance(math_tag, dict) and math_tag.get("math") is True:
        return "math"
    return optional_text(values, "language")
