"""KTO rows (Ethayarajh et al. 2024): prompt, completion, label. A good and a bad answer make a pair.

Rows of one prompt are joined in the order they come: the first good one with the first
bad one, and so on. What is left over at the end is joined with the first answer of the
other label; an answer whose prompt has answers of one label only is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rlft_tui.pairs.formats import trl
from rlft_tui.pairs.formats.values import truth
from rlft_tui.pairs.pair_row import Origin, PairRow, answer_text, preference_row
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.prompts.messages import (
    RowError,
    optional_text,
    parse_messages,
    required_text,
    split_prompt,
)
from rlft_tui.prompts.prompt import Message

SAYS = "unpaired rows (prompt, completion, label), joined into pairs"
MOST_CHARACTERS = 64_000_000
"""Of the answers that wait for another; when there are more, the oldest prompt is given up."""
ALONE = "no answer with the other label to this prompt"

Question = tuple[tuple[Message, ...], str]


@dataclass(slots=True)
class _Waiting:
    """The answers to one prompt, by label, as (line, text, model)."""

    category: str
    first: dict[bool, tuple[str, str]] = field(default_factory=dict)
    open: dict[bool, list[tuple[int, str, str]]] = field(default_factory=lambda: {True: [], False: []})
    characters: int = 0


@dataclass(slots=True)
class _Book:
    prompts: dict[Question, _Waiting] = field(default_factory=dict)
    characters: int = 0


def matches(values: dict[str, Any]) -> bool:
    return "completion" in values and "label" in values


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow | LineReport, ...]:
    """The pair that this row completes, if it does. Raises RowError."""
    question = _question(values)
    if not question[1].strip():
        raise RowError("prompt is empty")
    if "completion" not in values or "label" not in values:
        raise RowError("has no completion and label")
    text = answer_text(values["completion"], "completion")
    label = truth(values["label"], "label")
    model = optional_text(values, "model")
    book = _book(origin)
    waiting = book.prompts.get(question)
    if waiting is None:
        waiting = book.prompts[question] = _Waiting(optional_text(values, "category"))
        _grow(book, waiting, len(question[1]) + sum(len(turn.content) for turn in question[0]))
    if label not in waiting.first:
        waiting.first[label] = (text, model)
        _grow(book, waiting, len(text))
    others = waiting.open[not label]
    if others:
        other = others.pop(0)
        answers = {label: (text, model), not label: (other[1], other[2])}
        return (_pair(line, question, waiting.category, answers, origin),)
    waiting.open[label].append((line, text, model))
    _grow(book, waiting, len(text))
    given_up: list[PairRow | LineReport] = []
    while book.characters > MOST_CHARACTERS and len(book.prompts) > 1:
        oldest = next(iter(book.prompts))
        gone = book.prompts.pop(oldest)
        book.characters -= gone.characters
        given_up += _leftovers(oldest, gone, origin)
    return tuple(given_up)


def finish(origin: Origin) -> Iterator[PairRow | LineReport]:
    """What is left when the file ends."""
    for question, waiting in _book(origin).prompts.items():
        yield from _leftovers(question, waiting, origin)


def _leftovers(question: Question, waiting: _Waiting, origin: Origin) -> Iterator[PairRow | LineReport]:
    for label, rows in waiting.open.items():
        for line, text, model in rows:
            other = waiting.first.get(not label)
            if other is None:
                yield LineReport(line, ALONE)
            else:
                answers = {label: (text, model), not label: other}
                yield _pair(line, question, waiting.category, answers, origin)


def _pair(
    line: int, question: Question, category: str, answers: dict[bool, tuple[str, str]], origin: Origin
) -> PairRow:
    return preference_row(
        line,
        prompt=question[1],
        context=question[0],
        better=answers[True],
        worse=answers[False],
        category=category,
        origin=origin,
    )


def _question(values: dict[str, Any]) -> Question:
    if isinstance(values.get("prompt"), list):
        return split_prompt(parse_messages(values["prompt"], "prompt"), "prompt")
    return trl.text_prompt(required_text(values, "prompt"))


def _book(origin: Origin) -> _Book:
    book = origin.state.setdefault("kto", _Book())
    assert isinstance(book, _Book)
    return book


def _grow(book: _Book, waiting: _Waiting, characters: int) -> None:
    waiting.characters += characters
    book.characters += characters
