"""SQL behind ``rlft labels stats``."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import duckdb

from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.preference import STRENGTHS

_EPOCH = date(1970, 1, 1).toordinal()


def label_stats(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> LabelStats:
    """Counts over the current verdicts, of all labellers when ``labeler`` is empty.

    Days are UTC. The rates count decided verdicts only (no ties); imported ones have
    no side, answers of equal length are neither longer nor shorter.
    """
    # Grouped by everything at once, which is a few thousand rows whatever the number of verdicts;
    # the sums over one column are made here, at half the cost of grouping sets.
    rows = connection.execute(
        """select choice, labeler_id, floor(current.created_at / 86400)::integer as day,
                  coalesce(strength, 0), quality, count(*),
                  count(*) filter (choice <> 'tie' and current.source not in ('import', 'judge')),
                  count(*) filter (choice = shown_first and current.source not in ('import', 'judge')),
                  count(*) filter (choice <> 'tie' and length_a <> length_b),
                  count(*) filter (length_a <> length_b and choice = if(length_a > length_b, 'a', 'b'))
           from standing_preferences as current left join examples on examples.id = current.example_id
           where $labeler = '' or labeler_id = $labeler
           group by choice, labeler_id, day, coalesce(strength, 0), quality order by day, labeler_id""",
        {"labeler": labeler},
    ).fetchall()

    def counts(column: int) -> Counter[Any]:
        summed = Counter[Any]()
        for row in rows:
            summed[row[column]] += row[5]
        return summed

    sided, left, unequal, longer = (sum(row[column] for row in rows) for column in range(6, 10))
    strengths = counts(3)
    marks, revoked, written = _set_aside(connection, labeler)
    return LabelStats(
        total=counts(0).total(),
        by_choice={"a": 0, "b": 0, "tie": 0} | counts(0),
        by_labeler=dict(sorted(counts(1).items())),
        by_day={_day(day): count for day, count in counts(2).items()},
        skipped=marks.get("skip", 0),
        flagged=marks.get("flag", 0),
        revoked=revoked,
        left_rate=left / sided if sided else None,
        longer_rate=longer / unequal if unequal else None,
        median_seconds=_median_seconds(connection, labeler),
        by_strength={name: strengths[step] for step, name in STRENGTHS.items() if step in strengths},
        by_quality={name: count for name, count in sorted(counts(4).items()) if name},
        written=written,
    )


def _day(days: int) -> str:
    first, last = date.min.toordinal(), date.max.toordinal()
    return date.fromordinal(min(max(_EPOCH + days, first), last)).isoformat()


def _median_seconds(connection: duckdb.DuckDBPyConnection, labeler: str) -> float | None:
    """Of all verdicts that were not taken back, a second look at a pair included."""
    rows = connection.execute(
        """select median(time_spent_ms) / 1000.0 from preferences
           where time_spent_ms > 0 and source <> 'repeat' and ($labeler = '' or labeler_id = $labeler)
             and id not in (select target_id from revocations)""",
        {"labeler": labeler},
    ).fetchall()
    median: float | None = rows[0][0]
    return median


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
