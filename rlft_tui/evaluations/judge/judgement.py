"""One call of a judge: what it was shown, what it answered, what that cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import field

from rlft_tui.labels.preference import Side
from rlft_tui.record import Record

Status = Literal["parsed", "unparsable", "refused"]
"""refused: the endpoint will not answer this very call, however often it is asked."""


class JudgeItem(Record, frozen=True):
    """What is judged: a pair of answers, or one answer (``response_a``)."""

    id: str
    """Of the pair; else the same for every model that answered the prompt."""
    prompt: str
    response_a: str
    response_b: str = ""
    model_a: str = ""
    model_b: str = ""
    context: tuple[dict[str, str], ...] = ()
    example_id: str = ""
    """The pair that an answer is one of, or empty."""
    category: str = ""


class Judgement(Record, frozen=True):
    """One line of ``judgements.jsonl``; written once the call has been answered, never changed."""

    id: str
    """The same for the same run, item and order."""
    run_id: str
    item_id: str
    first: Side
    """Which stored answer was shown as A; a for a single answer."""
    status: Status
    label: str
    """A, B or tie as shown, or 1 to 5; empty when there is none."""
    answer: str
    """What the judge wrote, at most some thousand characters; why it refused."""
    chances: dict[str, float] | None = None
    """Probability of each label, where it is read."""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    cost: float | None = None
    seconds: float = 0.0
    judge: str = ""
    rubric: str = ""
    rubric_version: str = ""
    rated: str = ""
    """Model whose single answer was rated; empty for a pair."""
    created_at: float = 0.0


class Tally(Record, frozen=True):
    """What has come of a run's calls so far."""

    calls: int = 0
    parsed: int = 0
    unparsable: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    unmetered: int = 0
    """Calls whose tokens the endpoint did not tell."""
    cost: float = 0.0
    labels: dict[str, int] = field(default_factory=dict)

    def plus(self, one: Judgement) -> Tally:
        """With one more call."""
        labels = dict(self.labels)
        if one.label:
            labels[one.label] = labels.get(one.label, 0) + 1
        return Tally(
            calls=self.calls + 1,
            parsed=self.parsed + (one.status == "parsed"),
            unparsable=self.unparsable + (one.status == "unparsable"),
            refused=self.refused + (one.status == "refused"),
            prompt_tokens=self.prompt_tokens + (one.prompt_tokens or 0),
            answer_tokens=self.answer_tokens + (one.answer_tokens or 0),
            unmetered=self.unmetered + (one.prompt_tokens is None or one.answer_tokens is None),
            cost=self.cost + (one.cost or 0.0),
            labels=labels,
        )


def encode_line(value: Judgement | JudgeItem) -> bytes:
    """As one line of JSON, newline included; half a surrogate pair is escaped."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def read_judgements(path: Path, start: int = 0) -> Iterator[tuple[Judgement, int]]:
    """Each whole line from byte ``start`` on, and the byte after it; what is no judgement is passed over."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.seek(start)
        at = start
        for line in stream:
            if not line.endswith(b"\n"):
                return
            at += len(line)
            try:
                # Not msgspec's parser, which refuses half a surrogate pair.
                yield msgspec.convert(json.loads(line), Judgement), at
            except (ValueError, msgspec.ValidationError):
                continue
