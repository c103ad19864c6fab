"""The questions that a judge is asked about an item, one for each order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rlft_tui.evaluations.judge.judgement import JudgeItem
from rlft_tui.evaluations.judge.rubric import Mode, filled
from rlft_tui.ids import derived_id
from rlft_tui.labels.preference import Side
from rlft_tui.record import Record

_TAGS = re.compile(r"<(/?\s*(?:answer|answer_a|answer_b|conversation|criteria)\s*)>", re.I)


class Call(Record, frozen=True):
    """One question: an item, and which of its answers is shown as A."""

    id: str
    item: JudgeItem
    first: Side


def calls_for(run_id: str, items: Iterable[JudgeItem], mode: Mode, *, both_orders: bool) -> Iterator[Call]:
    """Every question of a run, in a fixed order. With one order, half of the pairs begin with either side."""
    for item in items:
        sides: tuple[Side, ...]
        if mode == "rating":
            sides = ("a",)
        elif both_orders:
            sides = ("a", "b")
        else:
            sides = ("a",) if int(derived_id(run_id, item.id, "side")[:8], 16) % 2 == 0 else ("b",)
        for first in sides:
            yield Call(derived_id(run_id, item.id, first), item, first)


def question(template: str, criteria: str, call: Call) -> str:
    """The template filled in for one call."""
    item = call.item
    shown, other = (
        (item.response_a, item.response_b) if call.first == "a" else (item.response_b, item.response_a)
    )
    return filled(
        template,
        {
            "criteria": criteria,
            "prompt": conversation_text(item),
            "answer": fenced(item.response_a),
            "answer_a": fenced(shown),
            "answer_b": fenced(other),
        },
    )


def conversation_text(item: JudgeItem) -> str:
    """The prompt alone, or all turns under the names of their roles."""
    if not item.context:
        return fenced(item.prompt)
    turns = [*item.context, {"role": "user", "content": item.prompt}]
    return "\n\n".join(f"[{turn['role']}]\n{fenced(turn['content'])}" for turn in turns)


def fenced(text: str) -> str:
    """The text without the very tags that stand around it: an answer cannot close its own."""
    return _TAGS.sub(lambda found: f"‹{found.group(1)}›", text)
