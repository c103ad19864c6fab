"""Several answers to one prompt put in order, and the verdicts on pairs that follow from it."""

from __future__ import annotations

from typing import Any

import msgspec

from rlft_tui.errors import RlftError
from rlft_tui.ids import derived_id
from rlft_tui.labels.preference import Quality
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message
from rlft_tui.record import Record

FEWEST, MOST = 3, 8
"""Answers in one ranking."""
RANKING_SOURCE = "ranking:"
"""Begins the source of what a ranking made; its id follows."""


class AnswerSet(Record, frozen=True):
    """Three to eight answers to one prompt, to be put in order."""

    id: str
    prompt: str
    responses: tuple[str, ...]
    models: tuple[str, ...] = ()
    """One an answer, or none."""
    context: tuple[Message, ...] = ()
    category: str = ""
    source: str = ""
    created_at: float = 0.0


class Ranking(Record, frozen=True):
    """One order. Never changed once stored: undoing it appends a ``Revocation``."""

    id: str
    prompt: str
    responses: tuple[str, ...]
    order: tuple[tuple[int, ...], ...]
    """Indices into ``responses``, best first; those that are equally good in one group."""
    labeler_id: str
    models: tuple[str, ...] = ()
    """One an answer, or none."""
    set_id: str = ""
    context: tuple[Message, ...] = ()
    category: str = ""
    notes: str = ""
    time_spent_ms: int = 0
    created_at: float = 0.0
    """Unix seconds."""
    open_end: bool = False
    """Whether the last group was not put in order: nothing is said of its answers among themselves."""
    quality: Quality = ""
    """Of an order with one group: whether all answers are good, or all bad."""

    @property
    def content(self) -> str:
        """All but id, set, labeller and time, as JSON: how it is stored."""
        values = {name: getattr(self, name) for name in _CONTENT}
        return msgspec.json.encode(values).decode()


_CONTENT = (
    *("prompt", "responses", "order", "models", "context", "category", "notes", "time_spent_ms"),
    *("open_end", "quality"),
)


class RankingEntry(Record, frozen=True):
    """One earlier ranking of a labeller."""

    ranking: Ranking
    revoked: bool


class RankProgress(Record, frozen=True):
    """Where one labeller stands."""

    ranked: int
    remaining: int
    """Sets of answers this labeller has not put in order."""
    pairs: int = 0
    """Verdicts on pairs that the labeller's standing rankings gave."""


class RankItem(Record, frozen=True):
    """A set to be ranked, with the order in which its answers are shown: random, the same each time."""

    answers: AnswerSet
    shown: tuple[int, ...]

    @property
    def key(self) -> str:
        """What tells it from other sets."""
        return self.answers.id


class RankPage(Record, frozen=True):
    """The next sets of a labeller and where they stand."""

    items: tuple[RankItem, ...]
    progress: RankProgress


class RankedPair(Record, frozen=True):
    """A pair of one ranking's answers and which of them stood higher."""

    pair: ResponsePair
    """Which answer is a follows from the texts, so that every order of the same set gives the same pair."""
    choice: str
    """a, b or tie."""
    verdict_id: str
    shown_first: str
    """The side of the answer that stood earlier in ``responses``."""


def ranking_from(row: tuple[str, str, str, str, float]) -> Ranking:
    """From id, set, labeller, content and time, as stored."""
    id, set_id, labeler, content, created_at = row
    values: dict[str, Any] = msgspec.json.decode(content)
    return msgspec.convert(
        {**values, "id": id, "set_id": set_id, "labeler_id": labeler, "created_at": created_at}, Ranking
    )


def check_answers(responses: tuple[str, ...], models: tuple[str, ...]) -> None:
    """RlftError unless there are three to eight different answers, none of them empty."""
    if not FEWEST <= len(responses) <= MOST:
        raise RlftError(f"a ranking has {FEWEST} to {MOST} answers, not {len(responses)}")
    if any(not text.strip() for text in responses):
        raise RlftError("an answer to be ranked is empty")
    if len(set(responses)) < len(responses):
        raise RlftError("two of the answers to be ranked are the same")
    if models and len(models) != len(responses):
        raise RlftError(f"{len(models)} models for {len(responses)} answers")


def check_ranking(one: Ranking) -> None:
    """RlftError for an order that does not name each answer once."""
    if not one.id or not one.labeler_id:
        raise RlftError("a ranking needs an id and a labeler_id")
    if not one.prompt.strip():
        raise RlftError("a ranking needs a prompt")
    check_answers(one.responses, one.models)
    named = [index for group in one.order for index in group]
    if sorted(named) != list(range(len(one.responses))) or not all(one.order):
        raise RlftError(f"the order has to name each of the answers 0 to {len(one.responses) - 1} once")
    if one.open_end and len(one.order) < 2:
        raise RlftError("an order that is left open has to say which answers come first")
    if one.quality and len(one.order) > 1:
        raise RlftError("all good or all bad is said of answers that are tied")


def answers_id(prompt: str, context: tuple[Message, ...], responses: tuple[str, ...]) -> str:
    """An id that is the same for the same answers in whatever order."""
    turns = [f"{turn.role}\x1e{turn.content}" for turn in context]
    return derived_id("answers", prompt, *turns, *sorted(responses))


def decompose(ranking: Ranking) -> list[RankedPair]:
    """Every two answers as a pair with a verdict: n (n - 1) / 2 of them, ties among equals.

    What Ouyang et al. (2022) do with rankings of 4 to 9 answers. Two answers at an open end are left out.
    """
    unordered = set(ranking.order[-1]) if ranking.open_end else set()
    place = {index: rank for rank, group in enumerate(ranking.order) for index in group}
    models = ranking.models or ("",) * len(ranking.responses)
    found: list[RankedPair] = []
    for first in range(len(ranking.responses)):
        for second in range(first + 1, len(ranking.responses)):
            if first in unordered and second in unordered:
                continue
            swapped = ranking.responses[second] < ranking.responses[first]
            a, b = (second, first) if swapped else (first, second)
            pair = ResponsePair(
                id=derived_id(
                    "ranked",
                    ranking.prompt,
                    *(f"{turn.role}\x1e{turn.content}" for turn in ranking.context),
                    *(ranking.responses[a], ranking.responses[b], models[a], models[b]),
                ),
                prompt=ranking.prompt,
                response_a=ranking.responses[a],
                response_b=ranking.responses[b],
                model_a=models[a],
                model_b=models[b],
                category=ranking.category,
                source=RANKING_SOURCE + ranking.id,
                context=ranking.context,
                created_at=ranking.created_at,
            )
            choice = "tie" if place[a] == place[b] else "a" if place[a] < place[b] else "b"
            verdict = derived_id("ranking", ranking.id, str(first), str(second))
            found.append(RankedPair(pair, choice, verdict, "b" if swapped else "a"))
    return found
