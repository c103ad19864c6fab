"""SQL behind the active orders: the texts to choose from, and what verdicts have said so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from rlft_tui.labels.text_features import MOST_CHARACTERS
from rlft_tui.record import Record

_SCORE = "try_cast(json_extract_string(settings, '$.score_{side}') as double)"
_TEXTS = f"""left(response_a, {MOST_CHARACTERS}), left(response_b, {MOST_CHARACTERS}),
    coalesce(length_a, length(response_a)), coalesce(length_b, length(response_b)),
    {_SCORE.format(side="a")}, {_SCORE.format(side="b")}"""

_AT_ONCE = 100


class Answers(Record, frozen=True):
    """What the preference model looks at: the beginnings of both answers, their lengths, their scores."""

    id: str
    text_a: str
    text_b: str
    length_a: int
    length_b: int
    score_a: float | None
    score_b: float | None
    """Given by a judge or reward model when the pair came in (settings ``score_a``), if any."""


class Meeting(Record, frozen=True):
    """How verdicts between two models ended."""

    model_a: str
    model_b: str
    wins_a: float
    """A tie counts half."""
    verdicts: int


def answers(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Answers]:
    """The pairs of those ids, in no order."""
    return [Answers(*row) for row in _by_ids(connection, f"select id, {_TEXTS} from examples", ids)]


def judged_answers(connection: duckdb.DuckDBPyConnection, limit: int) -> list[tuple[Answers, str]]:
    """Pairs with the choice of the latest decided verdicts, of all labellers."""
    rows = connection.execute(
        """select example_id, choice from preferences
           where choice <> 'tie' and source <> 'repeat' and id not in (select target_id from revocations)
           order by created_at desc, id desc limit ?""",
        [limit],
    ).fetchall()
    found = {one.id: one for one in answers(connection, list({row[0] for row in rows}))}
    return [(found[identity], choice) for identity, choice in rows if identity in found]


def models_of(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The models of each pair; pairs of one model or of none are left out."""
    query = (
        "select id, model_a, model_b, model_a <> '' and model_b <> '' and model_a <> model_b from examples"
    )
    return {row[0]: (row[1], row[2]) for row in _by_ids(connection, query, ids) if row[3]}


def _by_ids(connection: duckdb.DuckDBPyConnection, query: str, ids: Sequence[str]) -> list[Any]:
    """Rows of scattered pairs, a few at a time: each holds its own block of the file in memory."""
    rows: list[Any] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = list(ids[start : start + _AT_ONCE])
        places = ", ".join("?" * len(some))
        rows += connection.execute(f"{query} where id in ({places})", some).fetchall()
    return rows


def meetings(connection: duckdb.DuckDBPyConnection) -> list[Meeting]:
    """Every pair of models with a verdict between them, in alphabetical order."""
    rows = connection.execute(
        """with played as (
               select model_a, model_b, choice from preferences join examples on examples.id = example_id
               where preferences.source <> 'repeat' and model_a <> '' and model_b <> ''
                 and model_a <> model_b and preferences.id not in (select target_id from revocations))
           select least(model_a, model_b) as one, greatest(model_a, model_b) as two,
                  sum(case when choice = 'tie' then 0.5
                           when (choice = 'a') = (model_a < model_b) then 1.0 else 0.0 end)::double,
                  count(*)
           from played group by one, two order by one, two"""
    ).fetchall()
    return [Meeting(*row) for row in rows]
