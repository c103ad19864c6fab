"""The plain form of a pair, of JSON lines and tables alike: prompt, response_a, response_b and more.

Also: model_a, model_b, category; context (the turns before the prompt); and with
``choice`` (a, b, tie) a verdict: labeler, strength, quality, confidence, note,
shown_first, time_spent_ms, created_at, as ``rlft labels export --format csv`` writes them.
"""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats.values import (
    is_blank,
    moment,
    name_of,
    verdict_word,
    whole_number,
)
from rlft_tui.pairs.pair_row import Origin, PairRow, Quality, RowVerdict, answer_text, make_row
from rlft_tui.prompts.messages import (
    RowError,
    checked_text,
    optional_text,
    parse_messages,
    required_text,
    split_prompt,
)
from rlft_tui.prompts.prompt import Message

SAYS = "plain pairs (prompt, response_a, response_b)"
_ANSWERS = (
    ("response_a", "response_b"),
    ("answer_a", "answer_b"),
    ("output_a", "output_b"),
    ("completion_a", "completion_b"),
    ("response_1", "response_2"),
    ("answer1", "answer2"),
)
_PROMPTS = ("prompt", "instruction", "question")
_DECIDED = ("choice", "winner", "preference")
_LONGEST = 10**12


def matches(values: dict[str, Any]) -> bool:
    return any(first in values or second in values for first, second in _ANSWERS)


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The row's pair. ``prompt`` may be a list of messages. Raises RowError."""
    columns = next((names for names in _ANSWERS if names[0] in values or names[1] in values), _ANSWERS[0])
    asked = next((name for name in _PROMPTS if name in values), "prompt")
    context: tuple[Message, ...] = ()
    if isinstance(values.get(asked), list):
        context, prompt = split_prompt(parse_messages(values[asked], asked), asked)
    else:
        prompt = required_text(values, asked)
        if isinstance(values.get("context"), list):
            context = parse_messages(values["context"], "context")
    for column in columns:
        if column not in values:
            raise RowError(f"has no {column}")
    row = make_row(
        line,
        prompt=prompt,
        context=context,
        responses=(answer_text(values[columns[0]], columns[0]), answer_text(values[columns[1]], columns[1])),
        models=(optional_text(values, "model_a"), optional_text(values, "model_b")),
        category=optional_text(values, "category"),
        origin=origin,
        verdicts=_verdict(values, columns),
    )
    return (row,)


def _verdict(values: dict[str, Any], columns: tuple[str, str]) -> tuple[RowVerdict, ...]:
    for column in _DECIDED:
        if not is_blank(values.get(column)):
            break
    else:
        return ()
    said = verdict_word(checked_text(values[column], column), columns)
    if said is None:
        raise RowError(f"{column} is {values[column][:40]!r}; known: a, b, tie")
    choice, quality = said
    quality = quality or _quality(optional_text(values, "quality"))
    if quality and choice != "tie":
        raise RowError(f"{quality} goes with a tie only")
    strength = whole_number(values.get("strength"), "strength", 1, 4)
    if strength is not None and choice == "tie":
        raise RowError("a tie has a strength")
    verdict = RowVerdict(
        choice=choice,
        labeler=name_of(values.get("labeler") or values.get("annotator")),
        strength=strength,
        quality=quality,
        confidence=whole_number(values.get("confidence"), "confidence", 1, 5),
        reasoning=optional_text(values, "note", "reasoning"),
        shown_first="b" if values.get("shown_first") == "b" else "a",
        time_spent_ms=whole_number(values.get("time_spent_ms"), "time_spent_ms", 0, _LONGEST) or 0,
        created_at=_when(values.get("created_at")),
    )
    return (verdict,)


def _quality(word: str) -> Quality:
    if word == "both_good":
        return "both_good"
    if word == "both_bad":
        return "both_bad"
    if word:
        raise RowError(f"quality is {word[:40]!r}; known: both_good, both_bad")
    return ""


def _when(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return moment(value)
    return moment(value)
