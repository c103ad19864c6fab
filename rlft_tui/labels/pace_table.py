"""SQL behind the pace of labelling."""

from __future__ import annotations

from typing import Any

import duckdb

from rlft_tui.labels.intervals import share
from rlft_tui.labels.labeling_rate import IDLE_SECONDS
from rlft_tui.labels.pace import BINS, BREAK_SECONDS, TREND_HOURS, Pace, SessionPart, trend

SHOWN = "source not in ('import', 'judge') and source not like 'ranking:%'"
"""Verdicts that a person gave on two answers side by side."""

_PART = (
    "case "
    + " ".join(f"when minutes < {end} then {at}" for at, end in enumerate(BINS[1:]))
    + (f" else {len(BINS) - 1} end")
)
_TIMED = f"""
    with given as (
        select id, labeler_id, example_id, choice, shown_first, source, created_at, time_spent_ms,
               created_at - lag(created_at) over own as gap
        from preferences
        where ($labeler = '' or labeler_id = $labeler) and {SHOWN}
          and id not in (select target_id from revocations)
        window own as (partition by labeler_id order by created_at, id)),
    worked as (
        select *, sum(if(gap <= {IDLE_SECONDS}, gap, 0)) over own as seconds_worked,
               sum(if(gap is null or gap > {BREAK_SECONDS}, 1, 0)) over own as session,
               coalesce(if(time_spent_ms > 0, time_spent_ms / 1000.0, null),
                        if(gap > 0 and gap <= {IDLE_SECONDS}, gap, null)) as seconds
        from given
        window own as (partition by labeler_id order by created_at, id rows unbounded preceding)),
    placed as (
        select *, (seconds_worked - min(seconds_worked) over (partition by labeler_id, session)) / 60
               as minutes
        from worked)
"""


def pace(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> Pace:
    """Of one labeller, or of all; what the queue knows (rate, remaining) is left out."""
    rows = connection.execute(
        f"""{_TIMED}
            select grouping(part), part, count(*), count(seconds), median(seconds),
                   quantile_cont(seconds, 0.9),
                   count(*) filter (choice <> 'tie'), count(*) filter (choice = shown_first),
                   count(*) filter (gap is null or gap > {BREAK_SECONDS}),
                   count(*) filter (gap <= {IDLE_SECONDS}), sum(gap) filter (gap <= {IDLE_SECONDS}),
                   regr_slope(ln(seconds), minutes / 60) filter (seconds > 0),
                   regr_sxx(ln(seconds), minutes / 60) filter (seconds > 0),
                   regr_syy(ln(seconds), minutes / 60) filter (seconds > 0)
            from (select *, {_PART} as part from placed)
            group by grouping sets ((part), ()) order by part""",
        {"labeler": labeler},
    ).fetchall()
    whole = next(row for row in rows if row[0] == 1)
    again = _repeats(connection, labeler)
    _, _, verdicts, timed, median, slow, _, _, sessions, gaps, seconds, slope, sxx, syy = whole
    hours = (seconds or 0.0) / 3600
    return Pace(
        verdicts=verdicts,
        sessions=sessions,
        active_hours=hours,
        per_hour=3600.0 * gaps / seconds if seconds else None,
        recent_per_hour=None,
        median_seconds=median,
        slow_seconds=slow,
        parts=tuple(_part(row, again) for row in rows if row[0] == 0),
        trend=trend(timed, slope, sxx, syy) if hours >= TREND_HOURS else None,
    )


def _part(row: tuple[Any, ...], again: dict[int, tuple[int, int]]) -> SessionPart:
    part = int(row[1])
    end = BINS[part + 1] if part + 1 < len(BINS) else None
    same, total = again.get(part, (0, 0))
    return SessionPart(BINS[part], end, row[2], row[4], share(row[7], row[6]), share(same, total))


def _repeats(connection: duckdb.DuckDBPyConnection, labeler: str) -> dict[int, tuple[int, int]]:
    """Hidden repeats judged as before, and all of them, by the part of the session."""
    if not connection.execute("select 1 from preferences where source = 'repeat' limit 1").fetchall():
        return {}
    rows = connection.execute(
        f"""{_TIMED}
            select {_PART} as part, count(*) filter (again.choice = first.choice), count(*)
            from placed as again
            join current_preferences as first
              on first.example_id = again.example_id and first.labeler_id = again.labeler_id
            where again.source = 'repeat'
            group by part""",
        {"labeler": labeler},
    ).fetchall()
    return {int(part): (same, total) for part, same, total in rows}
