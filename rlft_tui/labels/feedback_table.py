"""SQL for scores. Rows are only ever appended."""

from __future__ import annotations

from typing import Any

import duckdb

from rlft_tui.labels.feedback import Feedback, FeedbackEntry

COLUMNS = "id, prompt, response, score, kind, labeler_id, example_id, model, run_id, notes, created_at, agent"
"""In the order of Feedback's fields."""


def find_feedback(connection: duckdb.DuckDBPyConnection, feedback_id: str) -> Feedback | None:
    """The score of that id, taken back or not."""
    rows = connection.execute(f"select {COLUMNS} from feedback where id = ?", [feedback_id]).fetchall()
    return Feedback(*rows[0]) if rows else None


def list_feedback(
    connection: duckdb.DuckDBPyConnection, labeler: str, offset: int, limit: int
) -> tuple[Feedback, ...]:
    """Standing scores, oldest first; of all labellers when ``labeler`` is empty."""
    rows = connection.execute(
        f"""select {COLUMNS} from current_feedback where $labeler = '' or labeler_id = $labeler
            order by created_at, id limit $limit offset $offset""",
        {"labeler": labeler, "limit": limit, "offset": offset},
    ).fetchall()
    return tuple(Feedback(*row) for row in rows)


def feedback_history(
    connection: duckdb.DuckDBPyConnection, labeler: str, limit: int
) -> tuple[FeedbackEntry, ...]:
    """The labeller's scores, newest first, those taken back included."""
    rows = connection.execute(
        f"""select {COLUMNS}, id in (select target_id from revocations) from feedback
            where labeler_id = ? order by created_at desc, id desc limit ?""",
        [labeler, limit],
    ).fetchall()
    return tuple(FeedbackEntry(Feedback(*row[:-1]), row[-1]) for row in rows)


def score_summary(
    connection: duckdb.DuckDBPyConnection, labeler: str, recent: int
) -> tuple[int, float | None, float | None, list[float]]:
    """How many scores stand, their mean and deviation, and the newest ``recent`` of them."""
    row: tuple[Any, ...] = connection.execute(
        """select count(*), avg(score), stddev_pop(score),
                  list_slice(list(score order by created_at desc, id desc), 1, ?)
           from current_feedback where labeler_id = ?""",
        [recent, labeler],
    ).fetchall()[0]
    return row[0], row[1], row[2], list(row[3] or ())


_LONG = 40
"""Characters from which an answer counts as written in without its text being read."""
_SIDES = """
        select id, '{side}' as side, source from examples where {length} > {long}
        union all
        select id, '{side}', source from examples where {length} <= {long} and trim({response}) <> ''"""
_BOTH = " union all ".join(
    _SIDES.format(side=side, length=f"coalesce(length_{side}, 0)", response=f"response_{side}", long=_LONG)
    for side in "ab"
)
_UNSCORED = f"""from ({_BOTH}) as answers
    where not starts_with(source, 'ranking:') and (id, side) not in (
        select examples.id, side from current_feedback as own
        join examples on examples.id = own.example_id cross join (values ('a'), ('b')) as sides(side)
        where own.labeler_id = $labeler
          and own.response = case side when 'a' then response_a else response_b end)"""
"""Answers that are not empty and have no standing score of the labeller. One that stands on both sides is
scored on both. A million pairs' texts are never read: only those of pairs that have a score."""


def unscored_answers(
    connection: duckdb.DuckDBPyConnection, labeler: str, limit: int
) -> list[tuple[str, str]]:
    """(pair, side) of answers the labeller has not scored, in an order that is random and fixed."""
    rows = connection.execute(
        f"select id, side {_UNSCORED} order by md5($labeler || '~' || id || side) limit $limit",
        {"labeler": labeler, "limit": limit},
    ).fetchall()
    return [(row[0], row[1]) for row in rows]


def count_unscored(connection: duckdb.DuckDBPyConnection, labeler: str) -> int:
    """How many answers the labeller has not scored."""
    rows = connection.execute(f"select count(*) {_UNSCORED}", {"labeler": labeler}).fetchall()
    return int(rows[0][0])
