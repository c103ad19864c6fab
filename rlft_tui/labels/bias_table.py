"""SQL behind sides, lengths and hidden repeats."""

from __future__ import annotations

import duckdb

from rlft_tui.labels.agreement import self_agreement
from rlft_tui.labels.bias import Bias, Leaning, log_odds
from rlft_tui.labels.intervals import share
from rlft_tui.labels.pace_table import SHOWN

MOST_LABELERS = 50


def bias(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> Bias:
    """Of one labeller, or of all together and each."""
    rows = connection.execute(
        f"""with verdicts as (
                select labeler_id, choice, shown_first, p.source, length_a, length_b
                from (select * from standing_preferences
                      where choice <> 'tie' and ($labeler = '' or labeler_id = $labeler)) as p
                left join examples on examples.id = p.example_id)
            select labeler_id, count(*) filter ({SHOWN}),
                   count(*) filter ({SHOWN} and choice = shown_first),
                   count(*) filter (length_a <> length_b),
                   count(*) filter (length_a <> length_b and choice = if(length_a > length_b, 'a', 'b'))
            from verdicts group by labeler_id order by count(*) desc, labeler_id""",
        {"labeler": labeler},
    ).fetchall()
    again = _repeats(connection, labeler)
    names = [row[0] for row in rows] + sorted(set(again) - {row[0] for row in rows})
    counts = {row[0]: tuple(row[1:]) for row in rows}
    nothing = (0, 0, 0, 0)
    leanings = [_leaning(name, counts.get(name, nothing), again.get(name, nothing)) for name in names]
    everybody = _leaning(labeler, _sum(counts), _sum(again))
    return Bias(everybody, () if labeler else tuple(leanings[:MOST_LABELERS]))


def _repeats(connection: duckdb.DuckDBPyConnection, labeler: str) -> dict[str, tuple[int, ...]]:
    """By labeller: judged as before, left both times, right both times, all."""
    if not connection.execute("select 1 from preferences where source = 'repeat' limit 1").fetchall():
        return {}
    rows = connection.execute(
        """with again as (
               select * from (
                   select *, row_number() over (
                       partition by labeler_id, example_id order by created_at desc, id desc) as place
                   from preferences
                   where source = 'repeat' and id not in (select target_id from revocations)
                     and ($labeler = '' or labeler_id = $labeler))
               where place = 1),
           compared as (
               select again.labeler_id, again.choice = first.choice as same,
                      again.choice <> 'tie' and first.choice <> 'tie' as decided,
                      again.choice = again.shown_first as now_left,
                      first.choice = first.shown_first as left_before
               from again join standing_preferences as first
                 on first.example_id = again.example_id and first.labeler_id = again.labeler_id)
           select labeler_id, count(*) filter (same),
                  count(*) filter (not same and decided and now_left and left_before),
                  count(*) filter (not same and decided and not now_left and not left_before), count(*)
           from compared group by labeler_id""",
        {"labeler": labeler},
    ).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def _sum(counts: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*counts.values(), strict=True))) or (0, 0, 0, 0)


def _leaning(name: str, counts: tuple[int, ...], again: tuple[int, ...]) -> Leaning:
    sided, left, unequal, longer = counts
    same, left_twice, right_twice, total = again
    odds, interval = log_odds(longer, unequal)
    return Leaning(
        labeler=name,
        left=share(left, sided),
        longer=share(longer, unequal),
        longer_logit=odds,
        longer_logit_ci95=interval,
        repeats=self_agreement(same, left_twice, right_twice, total),
    )
