"""SQL behind the queue: what is open for a labeller, in which order, and who judged it already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from rlft_tui.labels.preference import Side
from rlft_tui.labels.queue_view import QueueChoices, QueueView
from rlft_tui.record import Record

GOLD = 200
"""Gold pairs looked at by one scan."""


class OpenPair(Record, frozen=True):
    """A pair that is neither judged nor set aside."""

    id: str
    undone: bool
    """Whether its verdict or mark was taken back: it comes first."""
    others: frozenset[str] = frozenset()
    """Who judged it; only read where pairs are shared out."""


class OpenPairs(Record, frozen=True):
    """The start of a labeller's queue, and how many pairs stand where."""

    labelled: int
    skipped: int
    flagged: int
    remaining: int
    to_repeat: int
    """Of the remaining ones, those that are to be shown twice."""
    pairs: tuple[OpenPair, ...]
    gold: tuple[OpenPair, ...]
    """Open ones whose right answer is known, in random order."""


class Judged(Record, frozen=True):
    """One of the labeller's latest verdicts."""

    example_id: str
    shown_first: Side
    repeated: bool
    """Whether it is not to be shown again: it was, or it was set aside."""


def open_pairs(
    connection: duckdb.DuckDBPyConnection,
    labeler: str,
    view: QueueView,
    *,
    seed: str,
    limit: int,
    repeat_below: str = "",
) -> OpenPairs:
    """The first ``limit`` open pairs in the view's order, and the counts of all, in one scan.

    First come those whose verdict or mark was taken back, the latest first. Everything
    random is fixed by ``seed``; pairs whose ``repeat_mark`` is below ``repeat_below`` count
    as to be repeated. The active orders start from a random order.
    """
    condition, values = _matching(view)
    shared = view.overlap > 0
    labelled = """labelled as (
        select example_id, count(distinct labeler_id) as n, list(distinct labeler_id) as who
        from preferences
        where labeler_id <> $labeler and source not in ('repeat', 'judge')
          and id not in (select target_id from revocations)
        group by example_id),"""
    needs_counts = shared or view.order == "least"
    rows = connection.execute(
        f"""with own as materialized (
                select id, example_id, 'judged' as state from preferences
                where labeler_id = $labeler and source <> 'repeat'
                union all
                select id, example_id, kind from marks where labeler_id = $labeler),
            undone as (
                select own.example_id, max(revocations.created_at) as undone_at
                from own join revocations on revocations.target_id = own.id
                group by own.example_id),
            standing as materialized (
                select example_id, min(case state when 'judged' then 1 when 'flag' then 2 else 3 end) as place
                from own where id not in (select target_id from revocations)
                group by example_id),
            {labelled if needs_counts else ""}
            matched as {"materialized" if view.is_filtered else "not materialized"} (
                select id, created_at, rowid as entered from examples where {condition}),
            ready as materialized (
                select matched.* {", coalesce(n, 0) as n, who" if needs_counts else ""} from matched
                {"left join labelled on labelled.example_id = matched.id" if needs_counts else ""}
                where matched.id not in (select example_id from standing)
                  {"and coalesce(n, 0) < $overlap" if shared else ""}),
            ranked as (
                select id, undone_at, {"who" if shared else "[]::varchar[]"} as who
                from ready left join undone on undone.example_id = ready.id
                order by undone_at desc nulls last, {_ORDER[view.order]} limit $limit)
            select 0, '', count(*) filter (place = 1), count(*) filter (place = 3),
                   count(*) filter (place = 2), []::varchar[]
            from standing {"where example_id in (select id from matched)" if view.is_filtered else ""}
            union all
            select 1, '', count(*), count(*) filter ({_repeat_test(repeat_below)}), 0, [] from ready
            union all
            select 2, id, (undone_at is not null)::int, row_number() over (), 0, who from ranked
            union all
            select 3, id, 0, row_number() over (), 0, who from (
                select id, {"who" if shared else "[]::varchar[]"} as who from ready
                where id in (select example_id from gold) order by md5($seed || id) limit {GOLD})
            order by 1, 4""",
        {
            **values,
            **({"overlap": view.overlap} if shared else {}),
            **({"repeat_below": repeat_below} if repeat_below else {}),
            "labeler": labeler,
            "seed": seed,
            "limit": limit,
        },
    ).fetchall()
    (_, _, done, skipped, flagged, _), (_, _, remaining, to_repeat, _, _), *found = rows
    pairs = [OpenPair(row[1], bool(row[2]), frozenset(row[5] or ())) for row in found if row[0] == 2]
    gold = [OpenPair(row[1], False, frozenset(row[5] or ())) for row in found if row[0] == 3]
    return OpenPairs(done, skipped, flagged, remaining, to_repeat, tuple(pairs), tuple(gold))


def matching(connection: duckdb.DuckDBPyConnection, view: QueueView, ids: Sequence[str]) -> set[str]:
    """Which of these pairs the view's filters let through."""
    if not view.is_filtered or not ids:
        return set(ids)
    condition, values = _matching(view)
    rows = connection.execute(
        f"select id from examples where id in (select unnest(cast($ids as varchar[]))) and {condition}",
        {**values, "ids": list(ids)},
    ).fetchall()
    return {row[0] for row in rows}


def last_judged(connection: duckdb.DuckDBPyConnection, labeler: str, limit: int) -> tuple[Judged, ...]:
    """The labeller's latest verdicts given by hand, oldest first."""
    rows = connection.execute(
        """with standing as (
               select example_id, shown_first, source, created_at, id from preferences
               where labeler_id = $labeler and id not in (select target_id from revocations)),
           latest as (
               select * from standing where source = 'human' order by created_at desc, id desc limit $limit)
           select example_id, shown_first,
                  example_id in (select example_id from standing where source = 'repeat')
                  or example_id in (select example_id from current_marks where labeler_id = $labeler)
           from latest order by created_at, id""",
        {"labeler": labeler, "limit": limit},
    ).fetchall()
    return tuple(Judged(*row) for row in rows)


def verdict_times(connection: duckdb.DuckDBPyConnection, labeler: str, limit: int) -> list[float]:
    """When the labeller's last verdicts were given, oldest first; imported ones do not count."""
    rows = connection.execute(
        """select created_at from preferences
           where labeler_id = ? and source <> 'import' and id not in (select target_id from revocations)
           order by created_at desc limit ?""",
        [labeler, limit],
    ).fetchall()
    return [row[0] for row in reversed(rows)]


def count_repeats(connection: duckdb.DuckDBPyConnection, labeler: str) -> int:
    """How many pairs the labeller has judged when they came back."""
    rows = connection.execute(
        """select count(distinct example_id) from preferences where labeler_id = ? and source = 'repeat'
             and id not in (select target_id from revocations)""",
        [labeler],
    ).fetchall()
    return int(rows[0][0])


def queue_choices(connection: duckdb.DuckDBPyConnection, limit: int = 500) -> QueueChoices:
    """The categories, models and sources of all pairs, at most ``limit`` of each."""
    found = []
    for query in (
        "select distinct category as name from examples",
        "select model_a as name from examples union select model_b from examples",
        "select distinct source as name from examples",
    ):
        rows = connection.execute(
            f"select name from ({query}) where name <> '' order by name limit ?", [limit + 1]
        ).fetchall()
        found.append(tuple(row[0] for row in rows))
    categories, models, sources = (names[:limit] for names in found)
    return QueueChoices(categories, models, sources, cut=any(len(names) > limit for names in found))


def _matching(view: QueueView) -> tuple[str, dict[str, Any]]:
    """The filters as a condition on ``examples``, and its values."""
    # What a ranking made was judged by it; it is not offered again, not even when that is taken back.
    parts = ["not starts_with(examples.source, 'ranking:')"]
    values: dict[str, Any] = {}
    if view.category:
        parts.append("category = $category")
        values["category"] = view.category
    if view.source:
        parts.append("examples.source = $source")
        values["source"] = view.source
    if len(view.models) == 1:
        parts.append("(model_a = $model or model_b = $model)")
        values["model"] = view.models[0]
    elif view.models:
        parts.append("((model_a = $one and model_b = $two) or (model_a = $two and model_b = $one))")
        values["one"], values["two"] = view.models
    if view.search:
        parts.append(
            """(contains(lower(prompt), lower($search)) or contains(lower(response_a), lower($search))
                or contains(lower(response_b), lower($search)))"""
        )
        values["search"] = view.search
    return " and ".join(parts), values


def _repeat_test(repeat_below: str) -> str:
    return "substr(md5($seed || id), 17, 8) < $repeat_below" if repeat_below else "false"


_RANDOM = "md5($seed || id)"
_ORDER = {
    "random": _RANDOM,
    "active": _RANDOM,
    "ranking": _RANDOM,
    "least": f"n, {_RANDOM}",
    "oldest": "created_at, entered",
}
