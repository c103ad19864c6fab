"""SQL behind a round's win rate: the verdicts on the pairs that were made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from rlft_tui.labels.labeler import JUDGE_PREFIX
from rlft_tui.record import Record


class RoundVerdicts(Record, frozen=True):
    """Of one round; wins are those of its model. Judges are models that judge."""

    pairs: int = 0
    """Stored and not flagged."""
    judged: int = 0
    """Of those, pairs with a verdict of a person."""
    people: tuple[int, int, int] = (0, 0, 0)
    """Wins, losses, ties."""
    judges: tuple[int, int, int] = (0, 0, 0)


def round_verdicts(
    connection: duckdb.DuckDBPyConnection, made_by: Mapping[str, Sequence[str]], models: Mapping[str, str]
) -> dict[str, RoundVerdicts]:
    """Current verdicts of each round; ``made_by``: its generate runs, ``models``: who may win."""
    sources = [(f"run:{run_id}", one) for one, runs in made_by.items() for run_id in runs]
    if not sources:
        return {}
    rows = connection.execute(
        """with made as (
               select unnest($sources::varchar[]) as source, unnest($rounds::varchar[]) as round_id,
                      unnest($models::varchar[]) as model),
           own as (
               select e.id, made.round_id, e.model_a = made.model as is_a
               from examples as e join made using (source)
               where e.id not in (select example_id from current_marks where kind = 'flag')),
           judged as (
               select own.*, p.choice, starts_with(p.labeler_id, $judge) as by_judge
               from own join standing_preferences as p on p.example_id = own.id),
           counted as (
               select round_id, by_judge,
                      count(*) filter (choice = if(is_a, 'a', 'b')) as wins,
                      count(*) filter (choice = if(is_a, 'b', 'a')) as losses,
                      count(*) filter (choice = 'tie') as ties, count(distinct id) as judged
               from judged group by round_id, by_judge),
           pairs as (select round_id, count(*) as pairs from own group by round_id)
           select pairs.round_id, pairs, coalesce(by_judge, false), coalesce(wins, 0), coalesce(losses, 0),
                  coalesce(ties, 0), coalesce(judged, 0)
           from pairs left join counted using (round_id)""",
        {
            "sources": [source for source, _ in sources],
            "rounds": [one for _, one in sources],
            "models": [models[one] for _, one in sources],
            "judge": JUDGE_PREFIX,
        },
    ).fetchall()
    found: dict[str, RoundVerdicts] = {}
    for one, pairs, by_judge, wins, losses, ties, judged in rows:
        before = found.get(one, RoundVerdicts(pairs))
        score = (wins, losses, ties)
        found[one] = (
            RoundVerdicts(pairs, before.judged, before.people, score)
            if by_judge
            else RoundVerdicts(pairs, judged, score, before.judges)
        )
    return found
