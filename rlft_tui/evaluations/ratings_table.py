"""SQL behind win rates: how each comparison of two models ended."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class Record:
    """One model's results against another over the current verdicts."""

    model: str
    opponent: str
    wins: int
    losses: int
    ties: int


def records(connection: duckdb.DuckDBPyConnection) -> list[Record]:
    """Every ordered pair of different models with a verdict between them; flagged pairs don't count."""
    rows = connection.execute(
        """with played as (
               select e.model_a, e.model_b, p.choice
               from current_preferences as p join examples as e on p.example_id = e.id
               where e.model_a <> '' and e.model_b <> '' and e.model_a <> e.model_b
                 and e.id not in (select example_id from current_marks where kind = 'flag')),
           seen_from as (
               select model_a as model, model_b as opponent, choice = 'a' as won, choice = 'b' as lost
               from played
               union all
               select model_b, model_a, choice = 'b', choice = 'a' from played)
           select model, opponent, count(*) filter (where won), count(*) filter (where lost),
                  count(*) filter (where not won and not lost)
           from seen_from group by model, opponent order by model, opponent"""
    ).fetchall()
    return [Record(*row) for row in rows]
