"""SQL for who has labelled here: since when, and how much of it stands."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from rlft_tui.labels.labeler import Labeler

_GIVEN = " union all ".join(
    f"select labeler_id, created_at, '{kind}' as kind from {table}"
    for kind, table in {
        "verdict": "standing_preferences",
        "repeat": "(select * from preferences where source = 'repeat')",
        "mark": "current_marks",
        "written": "current_better_answers",
        "score": "current_feedback",
        "ranking": "current_rankings",
    }.items()
)
_EVERY = " union all ".join(
    f"select labeler_id, created_at from {table}"
    for table in ("preferences", "marks", "better_answers", "feedback", "rankings", "gold_answers")
)


def add_labelers(connection: duckdb.DuckDBPyConnection, first_seen: Mapping[str, float]) -> None:
    """Enter names with when they were first seen (unix seconds); those that are known stay as they are."""
    for name, seen in first_seen.items():
        connection.execute("insert into labelers values (?, '', ?) on conflict do nothing", [name, seen])


def add_missing_labelers(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Enter everyone with a stored label who is not known yet; the names of all."""
    connection.execute(
        f"""insert into labelers
            select labeler_id, '', min(created_at) from ({_EVERY})
            where labeler_id <> '' and labeler_id not in (select id from labelers) group by labeler_id"""
    )
    return {name for (name,) in connection.execute("select id from labelers").fetchall()}


def list_labelers(connection: duckdb.DuckDBPyConnection) -> tuple[Labeler, ...]:
    """Everyone, by name."""
    rows = connection.execute(
        f"""select id, least(any_value(labelers.created_at), min(given.created_at)),
                   coalesce(max(given.created_at), any_value(labelers.created_at)),
                   count(*) filter (kind = 'verdict'), count(*) filter (kind = 'mark'),
                   count(*) filter (kind = 'written'), count(*) filter (kind = 'score'),
                   count(*) filter (kind = 'ranking')
            from labelers left join ({_GIVEN}) as given on given.labeler_id = id
            group by id order by id"""
    ).fetchall()
    return tuple(Labeler(*row) for row in rows)
