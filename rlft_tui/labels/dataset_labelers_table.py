"""SQL for whose verdicts a data set was frozen from."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb


def labelers_of(
    connection: duckdb.DuckDBPyConnection, examples: Sequence[str], before: float
) -> dict[str, int]:
    """Verdicts by labeller on these pairs that stand and were given before a moment (unix seconds)."""
    rows = connection.execute(
        """select labeler_id, count(*) from standing_preferences
           where created_at <= $before and example_id in (select unnest($examples::varchar[]))
           group by labeler_id order by count(*) desc, labeler_id""",
        {"before": before, "examples": list(examples)},
    ).fetchall()
    return {str(name): int(count) for name, count in rows}
