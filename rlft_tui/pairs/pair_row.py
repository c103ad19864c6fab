"""What a row of an imported file becomes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import field
from msgspec.structs import replace

from rlft_tui.pairs.pairs_table import pair_digest
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.messages import RowError, checked_text, parse_messages
from rlft_tui.prompts.prompt import Message
from rlft_tui.prompts.prompts_table import content_bytes
from rlft_tui.record import Record

Side = Literal["a", "b"]
Choice = Literal["a", "b", "tie"]
Quality = Literal["", "both_good", "both_bad"]
_NO_MODELS = ("", "")


class RowVerdict(Record, frozen=True):
    """A verdict that a row brings; times are unix seconds, 0 where the row tells none."""

    choice: Choice
    labeler: str = ""
    """The annotator the row names; empty for whoever imports the file."""
    strength: int | None = None
    quality: Quality = ""
    confidence: int | None = None
    reasoning: str = ""
    shown_first: Side = "a"
    time_spent_ms: int = 0
    created_at: float = 0.0


class PairRow(Record, frozen=True):
    """A pair in an imported file."""

    line: int
    pair: ResponsePair
    """Its id is its digest, so importing the same content elsewhere gives the same id."""
    verdicts: tuple[RowVerdict, ...] = ()
    warnings: tuple[str, ...] = ()
    own_id: bool = False
    """The id is not the digest but one that labels refer to: it is kept whatever the content."""

    @property
    def chosen(self) -> Choice | None:
        """What the first verdict says; None for a pair without one."""
        return self.verdicts[0].choice if self.verdicts else None


class OperationRow(Record, frozen=True):
    """A label operation in an archive, as plain values with their ``kind``."""

    line: int
    values: dict[str, Any]


class Origin(Record, frozen=True):
    """What all rows of one import have in common."""

    source: str
    """The file's name."""
    now: float
    """Unix seconds."""
    state: dict[str, Any] = field(default_factory=dict)
    """What a format that joins several rows remembers of earlier ones."""


def make_row(
    line: int,
    *,
    prompt: str,
    context: tuple[Message, ...],
    responses: tuple[str, str],
    models: tuple[str, str] = _NO_MODELS,
    category: str = "",
    origin: Origin,
    verdicts: Iterable[RowVerdict] = (),
    settings: dict[str, Any] | None = None,
) -> PairRow:
    """A checked row: RowError without a prompt, warnings for empty and identical answers.

    Between identical answers only a tie is kept as a verdict.
    """
    if not prompt.strip():
        raise RowError("prompt is empty")
    response_a, response_b = responses
    given = kept = tuple(verdicts)
    warnings: tuple[str, ...] = ()
    if not response_a.strip() or not response_b.strip():
        warnings = ("an answer is empty",)
    if response_a == response_b:
        kept = tuple(verdict for verdict in given if verdict.choice == "tie")
        lost = "; its verdict was left out" if len(kept) < len(given) else ""
        warnings = (*warnings, f"the answers are identical{lost}")
    pair = ResponsePair(
        id=pair_digest(prompt, context, response_a, response_b, *models),
        prompt=prompt,
        response_a=response_a,
        response_b=response_b,
        model_a=models[0],
        model_b=models[1],
        category=category,
        source=origin.source,
        context=context,
        settings=settings or {},
        created_at=origin.now,
    )
    return PairRow(line, pair, kept, warnings)


def preference_row(
    line: int,
    *,
    prompt: str,
    context: tuple[Message, ...],
    better: tuple[str, str],
    worse: tuple[str, str],
    category: str = "",
    origin: Origin,
    verdict: RowVerdict | None = None,
    settings: tuple[dict[str, Any], dict[str, Any]] | None = None,
) -> PairRow:
    """A pair of which one answer is known to be better; answers are (text, model).

    Which answer becomes side a follows from the answers alone, so that the better one is
    on either side equally often and the same two answers always make the same pair.
    ``verdict`` gives all but the choice; ``settings`` are those of the two answers.
    """
    swapped = _order(*better) > _order(*worse)
    first, second = (worse, better) if swapped else (better, worse)
    choice: Side = "b" if swapped and first != second else "a"
    joined: dict[str, Any] = {}
    if settings is not None:
        mine, theirs = reversed(settings) if swapped else settings
        joined = {side: values for side, values in (("a", mine), ("b", theirs)) if values}
    return make_row(
        line,
        prompt=prompt,
        context=context,
        responses=(first[0], second[0]),
        models=(first[1], second[1]),
        category=category,
        origin=origin,
        verdicts=(RowVerdict(choice) if verdict is None else replace(verdict, choice=choice),),
        settings=joined,
    )


def _order(text: str, model: str) -> bytes:
    return content_bytes("pair", "", text, model, "", "")


def answer_text(value: Any, column: str) -> str:
    """An answer given as text, or as the list of the one assistant message."""
    if not isinstance(value, list):
        return checked_text(value, column)
    messages = parse_messages(value, column)
    if len(messages) != 1 or messages[0].role != "assistant":
        raise RowError(f"{column} has to be one assistant message, and has {len(messages)} messages")
    return messages[0].content
