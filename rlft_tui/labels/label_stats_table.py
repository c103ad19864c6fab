"""SQL behind ``rlft labels stats``."""

from __future__ import annotations

from typing import Any

import duckdb

from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.preference import STRENGTHS


def label_stats(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> LabelStats:
    """Counts over the current verdicts, of all labellers when ``labeler`` is empty.

    Days are UTC. The rates count decided verdicts only (no ties); imported ones have
    no side, answers of equal length are neither longer nor shorter.
    """
    # One pass: each grouping set gives the counts of one column, the empty one the rest.
    rows = connection.execute(
        """with verdicts as (
               select choice, labeler_id, strength, quality, shown_first, current.source, time_spent_ms,
                      strftime(make_timestamp((current.created_at * 1000000)::bigint), '%Y-%m-%d') as day,
                      length(response_a) as length_a, length(response_b) as length_b
               from current_preferences as current
               left join examples on examples.id = current.example_id
               where $labeler = '' or labeler_id = $labeler)
           select grouping(choice), grouping(labeler_id), grouping(day),
                  grouping(strength), grouping(quality),
                  coalesce(choice, labeler_id, day, strength::varchar, quality), count(*),
                  avg((choice = shown_first)::integer)
                    filter (where choice <> 'tie' and source <> 'import'),
                  avg((choice = if(length_a > length_b, 'a', 'b'))::integer)
                    filter (where choice <> 'tie' and length_a <> length_b),
                  median(time_spent_ms) filter (where time_spent_ms > 0) / 1000.0
           from verdicts
           group by grouping sets ((choice), (labeler_id), (day), (strength), (quality), ())
           order by 6""",
        {"labeler": labeler},
    ).fetchall()

    def counts(column: int) -> dict[str, int]:
        return {row[5]: row[6] for row in rows if row[column] == 0 and row[5]}

    total, left, longer, seconds = next(row[6:] for row in rows if row[:5] == (1, 1, 1, 1, 1))
    strengths = counts(3)
    marks, revoked, written = _set_aside(connection, labeler)
    return LabelStats(
        total=total,
        by_choice={"a": 0, "b": 0, "tie": 0} | counts(0),
        by_labeler=counts(1),
        by_day=counts(2),
        skipped=marks.get("skip", 0),
        flagged=marks.get("flag", 0),
        revoked=revoked,
        left_rate=left,
        longer_rate=longer,
        median_seconds=seconds,
        by_strength={
            name: strengths[str(step)] for step, name in STRENGTHS.items() if str(step) in strengths
        },
        by_quality=counts(4),
        written=written,
    )


def _set_aside(connection: duckdb.DuckDBPyConnection, labeler: str) -> tuple[dict[str, int], int, int]:
    own = {"labeler": labeler}
    mine = "($labeler = '' or labeler_id = $labeler)"
    marks: list[Any] = connection.execute(
        f"""select kind, count(distinct (labeler_id, example_id)) from current_marks
            where {mine} group by kind""",
        own,
    ).fetchall()
    revoked, written = (
        connection.execute(f"select count(*) from {table} where {mine}", own).fetchall()[0][0]
        for table in ("revocations", "current_better_answers")
    )
    return dict(marks), revoked, written
