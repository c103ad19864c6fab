"""SQL for sets of answers to be ranked, and for the orders given to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import msgspec

from rlft_tui.labels.ranking import FEWEST, MOST, AnswerSet, Ranking, RankingEntry, answers_id, ranking_from
from rlft_tui.prompts.prompts_table import decode_context

COLUMNS = "id, set_id, labeler_id, content, created_at"


def add_sets(connection: duckdb.DuckDBPyConnection, sets: Iterable[AnswerSet]) -> int:
    """Store those whose id is new; how many were."""
    rows = [(one.id, one.prompt, msgspec.json.encode(one).decode(), one.created_at) for one in sets]
    before = _count(connection, "select count(*) from answer_sets", {})
    if rows:
        connection.execute(
            """insert into answer_sets (id, prompt, content, created_at)
               select unnest(cast(? as varchar[])), unnest(cast(? as varchar[])),
                      unnest(cast(? as json[])), unnest(cast(? as double[]))
               on conflict (id) do nothing""",
            [list(column) for column in zip(*rows, strict=True)],
        )
    return _count(connection, "select count(*) from answer_sets", {}) - before


def gather_sets(
    connection: duckdb.DuckDBPyConnection, now: float, *, offset: int, limit: int
) -> tuple[list[AnswerSet], bool]:
    """Three to eight different answers that stored pairs hold to the same prompt, as sets.

    Looks at ``limit`` prompts with two or more pairs, in an order that is random and fixed, after the
    first ``offset``; tells also whether there may be more. Of more than eight answers the first ones in
    a fixed order. Pairs that a ranking made are left out.
    """
    rows = connection.execute(
        f"""with asked as materialized (
                select prompt, context from (
                    select prompt, context::varchar as context from examples
                    where not starts_with(source, 'ranking:'))
                group by prompt, context having count(*) >= 2
                order by md5(prompt || context) limit $limit offset $offset),
            found as materialized (
                select examples.prompt, asked.context, category, response_a, response_b, model_a, model_b
                from examples join asked
                  on examples.prompt = asked.prompt and examples.context::varchar = asked.context
                where not starts_with(source, 'ranking:')),
            answers as (
                select prompt, context, category, response_a as response, model_a as model from found
                where trim(response_a) <> ''
                union all
                select prompt, context, category, response_b, model_b from found
                where trim(response_b) <> ''),
            distinct_answers as (
                select prompt, context, response, min(category) as category, min(model) as model
                from answers group by prompt, context, response)
            select null, (select count(*) from asked)::varchar, null, null
            union all
            (select prompt, context, min(category),
                    list_slice(
                        list({{'response': response, 'model': model}} order by md5(response)), 1, {MOST})
             from distinct_answers group by prompt, context having count(*) >= {FEWEST})""",
        {"limit": limit, "offset": offset},
    ).fetchall()
    looked_at = next(int(row[1]) for row in rows if row[0] is None)
    return [_gathered(row, now) for row in rows if row[0] is not None], looked_at == limit


def _gathered(row: Sequence[Any], now: float) -> AnswerSet:
    prompt, context_text, category, answers = row
    context = decode_context(context_text)
    responses = tuple(str(answer["response"]) for answer in answers)
    models = tuple(str(answer["model"]) for answer in answers)
    return AnswerSet(
        id=answers_id(prompt, context, responses),
        prompt=prompt,
        responses=responses,
        models=models if any(models) else (),
        context=context,
        category=category,
        source="pairs",
        created_at=now,
    )


def unranked_sets(connection: duckdb.DuckDBPyConnection, labeler: str, limit: int) -> list[AnswerSet]:
    """Sets without a standing order of the labeller, in a random order that is fixed."""
    rows = connection.execute(
        f"select content {_UNRANKED} order by md5($labeler || '~' || id) limit $limit",
        {"labeler": labeler, "limit": limit},
    ).fetchall()
    return [msgspec.json.decode(row[0], type=AnswerSet) for row in rows]


_UNRANKED = """from answer_sets
    where id not in (select set_id from current_rankings where labeler_id = $labeler)"""


def count_rankings(connection: duckdb.DuckDBPyConnection, labeler: str) -> tuple[int, int, int]:
    """The labeller's standing rankings, sets without one, and standing verdicts from rankings."""
    own = {"labeler": labeler}
    return (
        _count(connection, "select count(*) from current_rankings where labeler_id = $labeler", own),
        _count(connection, f"select count(*) {_UNRANKED}", own),
        _count(
            connection,
            """select count(*) from current_preferences
               where labeler_id = $labeler and starts_with(source, 'ranking:')""",
            own,
        ),
    )


def find_ranking(connection: duckdb.DuckDBPyConnection, ranking_id: str) -> Ranking | None:
    rows = connection.execute(f"select {COLUMNS} from rankings where id = ?", [ranking_id]).fetchall()
    return ranking_from(rows[0]) if rows else None


def list_rankings(
    connection: duckdb.DuckDBPyConnection, labeler: str, offset: int, limit: int
) -> tuple[Ranking, ...]:
    """Standing rankings, oldest first; of all labellers when ``labeler`` is empty."""
    rows = connection.execute(
        f"""select {COLUMNS} from current_rankings where $labeler = '' or labeler_id = $labeler
            order by created_at, id limit $limit offset $offset""",
        {"labeler": labeler, "limit": limit, "offset": offset},
    ).fetchall()
    return tuple(ranking_from(row) for row in rows)


def ranking_history(
    connection: duckdb.DuckDBPyConnection, labeler: str, limit: int
) -> tuple[RankingEntry, ...]:
    """The labeller's rankings, newest first, those taken back included."""
    rows = connection.execute(
        f"""select {COLUMNS}, id in (select target_id from revocations) from rankings
            where labeler_id = ? order by created_at desc, id desc limit ?""",
        [labeler, limit],
    ).fetchall()
    return tuple(RankingEntry(ranking_from(row[:-1]), row[-1]) for row in rows)


def ids_by_digest(connection: duckdb.DuckDBPyConnection, digests: Sequence[str]) -> dict[str, str]:
    """Pairs that are stored, by the digest of their content."""
    rows = connection.execute(
        "select digest::varchar, id from examples where digest in (select unnest($1::uuid[]))",
        [list(digests)],
    ).fetchall()
    return dict(rows)


def _count(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any]) -> int:
    return int(connection.execute(query, values).fetchall()[0][0])
