"""SQL behind win rates: how each comparison of two models ended."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from rlft_tui.labels.labeler import JUDGE_PREFIX
from rlft_tui.labels.preference import Choice
from rlft_tui.record import Record

HUMAN = "human"
"""Verdicts of whoever is no judge; a mixture would be ruled by the judges, who give thousands."""


class HeadToHead(Record, frozen=True):
    """One model's results against another over the current verdicts."""

    model: str
    opponent: str
    wins: int
    losses: int
    ties: int


class Played(Record, frozen=True):
    """Verdicts with one outcome on pairs whose answers differ in length by about the same."""

    model_a: str
    model_b: str
    choice: Choice
    n: int
    longer: float
    """By how many characters the answer of a is longer, on average."""
    squares: float
    """Sum of the squares of those differences."""


def played(connection: duckdb.DuckDBPyConnection, by: str = HUMAN) -> list[Played]:
    """Every current verdict between two different models; flagged pairs don't count.

    ``by``: human (whoever is no judge), judge, all, or the name of one labeller.
    Differences in length are grouped in steps of 1/32 of their size (and never less than a
    quarter character), so that a million verdicts become some thousand rows.
    """
    rows = connection.execute(
        """with judged as (
               select e.model_a, e.model_b, p.choice, (e.length_a - e.length_b)::double as longer
               from standing_preferences as p join examples as e on p.example_id = e.id
               where e.model_a <> '' and e.model_b <> '' and e.model_a <> e.model_b
                 and e.id not in (select example_id from current_marks where kind = 'flag')
                 and case $by when 'all' then true
                     when 'human' then not starts_with(p.labeler_id, $judge)
                     when 'judge' then starts_with(p.labeler_id, $judge)
                     else p.labeler_id = $by end)
           select model_a, model_b, choice, count(*), avg(longer), sum(longer * longer)
           from judged
           group by model_a, model_b, choice, (sign(longer) * round(32 * ln(1 + abs(longer) / 8)))::integer
           order by all""",
        {"by": by, "judge": JUDGE_PREFIX},
    ).fetchall()
    return [Played(*row) for row in rows]


def records(connection: duckdb.DuckDBPyConnection, by: str = HUMAN) -> list[HeadToHead]:
    """Every ordered pair of different models with a verdict between them."""
    return records_of(played(connection, by))


def records_of(found: Iterable[Played]) -> list[HeadToHead]:
    """The same from rows of ``played``."""
    sums: dict[tuple[str, str], list[int]] = {}
    for one in found:
        for model, opponent, own, other in (
            (one.model_a, one.model_b, "a", "b"),
            (one.model_b, one.model_a, "b", "a"),
        ):
            counts = sums.setdefault((model, opponent), [0, 0, 0])
            counts[0 if one.choice == own else 1 if one.choice == other else 2] += one.n
    return [HeadToHead(*names, *counts) for names, counts in sorted(sums.items())]
