"""SQL on gold pairs and hidden repeats, and on what each order's verdicts were."""

from __future__ import annotations

import duckdb

from rlft_tui.labels.reliability import ArmReport, GoldPair, Reliability

_STANDING = "id not in (select target_id from revocations)"


def list_gold(connection: duckdb.DuckDBPyConnection) -> tuple[GoldPair, ...]:
    """In the order they were made gold."""
    rows = connection.execute(
        """select example_id, choice, coalesce(prompt, ''), gold.created_at
           from gold left join examples on id = example_id order by gold.created_at, example_id"""
    ).fetchall()
    return tuple(GoldPair(*row) for row in rows)


def reliability(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> tuple[Reliability, ...]:
    """Everyone who judged a gold pair or a repeat, by name; only ``labeler`` if one is named.

    Only verdicts on pairs of these two kinds are read, however many others there are.
    """
    rows = connection.execute(
        f"""with asked as (
               select example_id from gold
               union select example_id from preferences where source = 'repeat'),
           standing as (
               select *, row_number() over (
                   partition by labeler_id, example_id, source = 'repeat'
                   order by created_at desc, id desc) as place
               from preferences
               where example_id in (select example_id from asked) and {_STANDING}
                 and ($labeler = '' or labeler_id = $labeler)),
           first as (select * from standing where place = 1 and source <> 'repeat'),
           again as (select * from standing where place = 1 and source = 'repeat'),
           known as (
               select labeler_id, count(*) as n, count(*) filter (where first.choice = gold.choice) as hits
               from first join gold using (example_id) group by labeler_id),
           twice as (
               select labeler_id, count(*) as n,
                      count(*) filter (where first.choice = again.choice) as same,
                      count(*) filter (
                          where first.choice = first.shown_first and again.choice = again.shown_first
                            and first.shown_first <> again.shown_first) as lefts,
                      count(*) filter (
                          where first.choice not in (first.shown_first, 'tie')
                            and again.choice not in (again.shown_first, 'tie')
                            and first.shown_first <> again.shown_first) as rights
               from first join again using (labeler_id, example_id) group by labeler_id)
           select labeler_id, coalesce(known.n, 0), coalesce(hits, 0), coalesce(twice.n, 0),
                  coalesce(same, 0), coalesce(lefts, 0), coalesce(rights, 0)
           from known full join twice using (labeler_id) order by labeler_id""",
        {"labeler": labeler},
    ).fetchall()
    return tuple(_rated(*row) for row in rows)


def _rated(
    labeler: str, gold: int, right: int, repeats: int, same: int, lefts: int, rights: int
) -> Reliability:
    return Reliability(
        *(labeler, gold, right, repeats, same, lefts, rights),
        gold_rate=right / gold if gold else None,
        self_agreement=same / repeats if repeats else None,
        left_bias=(lefts - rights) / repeats if repeats else None,
    )


def arms(connection: duckdb.DuckDBPyConnection) -> tuple[ArmReport, ...]:
    """Counts by the order that had chosen the pair, by name."""
    rows = connection.execute(
        f"""select arm, count(*), count(*) filter (where choice = 'tie'),
                   median(time_spent_ms) filter (where time_spent_ms > 0) / 1000.0
            from preferences where arm <> '' and source <> 'repeat' and {_STANDING}
            group by arm order by arm"""
    ).fetchall()
    return tuple(ArmReport(*row) for row in rows)


def decided_in_arm(connection: duckdb.DuckDBPyConnection, arm: str, limit: int) -> list[tuple[str, str]]:
    """Pair and choice of an arm's decided verdicts, oldest first."""
    rows = connection.execute(
        f"""select example_id, choice from preferences
            where arm = ? and source <> 'repeat' and choice <> 'tie' and {_STANDING}
            order by created_at, id limit ?""",
        [arm, limit],
    ).fetchall()
    return [(row[0], row[1]) for row in rows]
