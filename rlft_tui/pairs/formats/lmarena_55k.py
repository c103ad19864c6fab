"""LMArena's 55k: prompt and responses are lists in JSON, the winner stands in three columns of 0 and 1."""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats.trl import split_conversations
from rlft_tui.pairs.formats.values import json_list, truth
from rlft_tui.pairs.pair_row import Choice, Origin, PairRow, RowVerdict, make_row
from rlft_tui.prompts.messages import RowError, checked_text, optional_text
from rlft_tui.prompts.prompt import Message

SAYS = "LMArena votes, 55k (winner_model_a, winner_model_b, winner_tie)"
_WINNERS: tuple[tuple[str, Choice], ...] = (
    ("winner_model_a", "a"),
    ("winner_model_b", "b"),
    ("winner_tie", "tie"),
)


def matches(values: dict[str, Any]) -> bool:
    return "winner_model_a" in values or "winner_tie" in values


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The row's pair; several turns are refused when earlier answers differ. Raises RowError."""
    questions = json_list(values.get("prompt"), "prompt")
    names = ("response_a", "response_b")
    one, two = (_turns(questions, json_list(values.get(name), name), name) for name in names)
    context, prompt, first, second = split_conversations(one, two, names)
    row = make_row(
        line,
        prompt=prompt,
        context=context,
        responses=(first, second),
        models=(optional_text(values, "model_a"), optional_text(values, "model_b")),
        origin=origin,
        verdicts=_verdict(values),
    )
    return (row,)


def _turns(questions: list[Any], answers: list[Any], name: str) -> tuple[Message, ...]:
    if len(questions) != len(answers):
        raise RowError(f"{name} has {len(answers)} turns where the prompt has {len(questions)}")
    turns: list[Message] = []
    for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        turns += [
            Message("user", checked_text(question, f"prompt[{place}]")),
            Message("assistant", checked_text(answer, f"{name}[{place}]")),
        ]
    return tuple(turns)


def _verdict(values: dict[str, Any]) -> tuple[RowVerdict, ...]:
    said = [choice for column, choice in _WINNERS if column in values and truth(values[column], column)]
    if len(said) > 1:
        raise RowError("more than one of the winner columns is 1")
    return tuple(RowVerdict(choice) for choice in said)
