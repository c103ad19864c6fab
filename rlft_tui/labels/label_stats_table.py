"""SQL behind ``rlft labels stats``."""

from __future__ import annotations

from typing import Any

import duckdb

from rlft_tui.labels.label_stats import LabelStats


def label_stats(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> LabelStats:
    """Counts over the current verdicts, of all labellers when ``labeler`` is empty.

    Days are UTC. The rates count decided verdicts only (no ties); imported ones have
    no side, answers of equal length are neither longer nor shorter.
    """
    # One pass: each grouping set gives the counts of one column, the empty one the rest.
    rows = connection.execute(
        """with verdicts as (
               select choice, labeler_id, shown_first, current.source, time_spent_ms,
                      strftime(make_timestamp((current.created_at * 1000000)::bigint), '%Y-%m-%d') as day,
                      length(response_a) as length_a, length(response_b) as length_b
               from current_preferences as current
               left join examples on examples.id = current.example_id
               where $labeler = '' or labeler_id = $labeler)
           select grouping(choice), grouping(labeler_id), grouping(day),
                  coalesce(choice, labeler_id, day), count(*),
                  avg((choice = shown_first)::integer)
                    filter (where choice <> 'tie' and source <> 'import'),
                  avg((choice = if(length_a > length_b, 'a', 'b'))::integer)
                    filter (where choice <> 'tie' and length_a <> length_b),
                  median(time_spent_ms) filter (where time_spent_ms > 0) / 1000.0
           from verdicts group by grouping sets ((choice), (labeler_id), (day), ())
           order by 4""",
        {"labeler": labeler},
    ).fetchall()

    def counts(column: int) -> dict[str, int]:
        return {row[3]: row[4] for row in rows if row[column] == 0}

    total, left, longer, seconds = next(row[4:] for row in rows if row[:3] == (1, 1, 1))
    marks, revoked = _set_aside(connection, labeler)
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
    )


def _set_aside(connection: duckdb.DuckDBPyConnection, labeler: str) -> tuple[dict[str, int], int]:
    own = {"labeler": labeler}
    mine = "($labeler = '' or labeler_id = $labeler)"
    marks: list[Any] = connection.execute(
        f"""select kind, count(distinct (labeler_id, example_id)) from current_marks
            where {mine} group by kind""",
        own,
    ).fetchall()
    revoked = connection.execute(f"select count(*) from revocations where {mine}", own).fetchall()[0][0]
    return dict(marks), revoked
