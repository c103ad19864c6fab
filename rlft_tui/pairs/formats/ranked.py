"""Several answers to one prompt, ranked or compared, as pairs: what Argilla and Label Studio share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from msgspec.structs import replace

from rlft_tui.pairs.formats.values import verdict_word
from rlft_tui.pairs.pair_row import Choice, Origin, PairRow, Quality, RowVerdict, answer_text, make_row
from rlft_tui.prompts.messages import RowError, checked_text, parse_messages, split_prompt
from rlft_tui.prompts.prompt import Message
from rlft_tui.record import Record

MOST_ANSWERS = 8
_PROMPTS = ("prompt", "instruction", "question", "input", "query", "messages", "conversation")
_ANSWER = re.compile(
    r"(?:model[-_ ]?)?(?:answer|response|completion|generation|output|candidate|text)[-_ ]?(?:\d{1,2}|[a-h])",
    re.IGNORECASE,
)


class Candidates(Record, frozen=True):
    """One prompt and its answers by field name."""

    context: tuple[Message, ...]
    prompt: str
    answers: dict[str, str]
    models: dict[str, str]
    category: str = ""


def candidates(fields: Mapping[str, Any], about: Mapping[str, Any]) -> Candidates:
    """Prompt and answers among the fields of a record; ``about`` may name the models. Raises RowError."""
    asked = next((name for name in _PROMPTS if name in fields), None)
    if asked is None:
        raise RowError(f"has none of the fields {', '.join(_PROMPTS)}")
    context: tuple[Message, ...] = ()
    if isinstance(fields[asked], list):
        context, prompt = split_prompt(parse_messages(fields[asked], asked), asked)
    else:
        prompt = checked_text(fields[asked], asked)
    names = [name for name in fields if isinstance(name, str) and _ANSWER.fullmatch(name)]
    answers = {name: answer_text(fields[name], name) for name in names if fields[name] is not None}
    if len(answers) < 2:
        raise RowError("has fewer than two answers (fields such as response-1 and response-2)")
    if len(answers) > MOST_ANSWERS:
        raise RowError(f"has {len(answers)} answers; at most {MOST_ANSWERS}")
    models = {name: _model(about, name, place) for place, name in enumerate(answers)}
    category = about.get("category")
    return Candidates(context, prompt, answers, models, category if isinstance(category, str) else "")


def ranks_of(value: Any, names: Sequence[str]) -> dict[str, tuple[int, Quality]] | None:
    """Rank (1 is best) and quality of each answer that a value ranks or compares; None for no such value.

    A value is a list of names, best first (also ``{"value", "rank"}`` with ties), or a
    word that names the better of two answers or a tie.
    """
    if isinstance(value, str) and len(names) == 2:
        said = verdict_word(value, (names[0], names[1]))
        if said is None:
            return None
        choice, quality = said
        places = {"a": (1, 2), "b": (2, 1), "tie": (1, 1)}[choice]
        return {name: (place, quality) for name, place in zip(names, places, strict=True)}
    if not isinstance(value, list):
        return None
    ranks: dict[str, tuple[int, Quality]] = {}
    for place, entry in enumerate(value, 1):
        name: Any = entry
        rank: Any = place
        if isinstance(entry, dict):
            name, rank = entry.get("value"), entry.get("rank")
        if name not in names or isinstance(rank, bool) or not isinstance(rank, int) or name in ranks:
            return None
        ranks[name] = (rank, "")
    return ranks if len(ranks) > 1 else None


Judgement = tuple[RowVerdict, Mapping[str, tuple[int, Quality]]]
"""Who judged when (its choice does not matter), and the rank each answer got."""


def pairs_of(
    line: int, found: Candidates, judgements: Sequence[Judgement], origin: Origin
) -> tuple[PairRow, ...]:
    """Every two answers that somebody compared as a pair with those verdicts; of two answers, always."""
    rows = []
    for first, second in combinations(found.answers, 2):
        verdicts = [
            replace(verdict, choice=_choice(ranks[first][0], ranks[second][0]), quality=ranks[first][1])
            for verdict, ranks in judgements
            if first in ranks and second in ranks
        ]
        if not verdicts and len(found.answers) > 2:
            continue
        rows.append(
            make_row(
                line,
                prompt=found.prompt,
                context=found.context,
                responses=(found.answers[first], found.answers[second]),
                models=(found.models[first], found.models[second]),
                category=found.category,
                origin=origin,
                verdicts=verdicts,
            )
        )
    if not rows:
        raise RowError(f"has {len(found.answers)} answers and no ranking of them")
    return tuple(rows)


def _choice(first: int, second: int) -> Choice:
    return "tie" if first == second else "a" if first < second else "b"


def _model(about: Mapping[str, Any], name: str, place: int) -> str:
    """``about`` may hold ``<field>-model``, ``<field>_model`` or ``model_a``, ``model_b``, … in order."""
    for key in (f"{name}-model", f"{name}_model", f"model_{'abcdefgh'[place]}", f"model-{place + 1}"):
        if isinstance(about.get(key), str):
            return checked_text(about[key], key)
    return ""
