"""SQL behind ``rlft labels stats``."""

from __future__ import annotations

import duckdb

from rlft_tui.labels.label_stats import LabelStats


def label_stats(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> LabelStats:
    """Counts over the current verdicts, of all labellers when ``labeler`` is empty.

    Days are UTC. The rates count decided verdicts only (no ties); imported ones have
    no side, answers of equal length are neither longer nor shorter.
    """
    own = {"labeler": labeler}
    mine = "($labeler = '' or labeler_id = $labeler)"
    total, left, longer, seconds = connection.execute(
        f"""select count(*),
                   avg((choice = shown_first)::integer)
                     filter (where choice <> 'tie' and current.source <> 'import'),
                   avg((choice = if(length(response_a) > length(response_b), 'a', 'b'))::integer)
                     filter (where choice <> 'tie' and length(response_a) <> length(response_b)),
                   median(time_spent_ms) filter (where time_spent_ms > 0) / 1000.0
            from current_preferences as current left join examples on examples.id = current.example_id
            where {mine}""",
        own,
    ).fetchall()[0]

    def counts(key: str) -> dict[str, int]:
        rows = connection.execute(
            f"""select {key} as key, count(*) from current_preferences
                where {mine} group by key order by key""",
            own,
        ).fetchall()
        return {str(name): int(count) for name, count in rows}

    marks = dict(
        connection.execute(
            f"""select kind, count(distinct (labeler_id, example_id)) from current_marks
                where {mine} group by kind""",
            own,
        ).fetchall()
    )
    revoked = connection.execute(f"select count(*) from revocations where {mine}", own).fetchall()[0][0]
    return LabelStats(
        total=total,
        by_choice={"a": 0, "b": 0, "tie": 0} | counts("choice"),
        by_labeler=counts("labeler_id"),
        by_day=counts("strftime(make_timestamp((created_at * 1000000)::bigint), '%Y-%m-%d')"),
        skipped=marks.get("skip", 0),
        flagged=marks.get("flag", 0),
        revoked=revoked,
        left_rate=left,
        longer_rate=longer,
        median_seconds=seconds,
    )
