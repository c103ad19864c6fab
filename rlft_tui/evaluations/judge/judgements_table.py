"""SQL on ``judgements``, and on what is there to be judged.

A deleted run leaves its calls here: they were paid for, and what they judged is not judged again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import duckdb

from rlft_tui.evaluations.judge.judgement import JudgeItem, Judgement
from rlft_tui.evaluations.judge.request import ANYBODY, JudgeRequest
from rlft_tui.ids import derived_id
from rlft_tui.labels.labeler import JUDGE_PREFIX
from rlft_tui.prompts.prompts_table import decode_context

_COLUMNS = Judgement.__struct_fields__
_LIST = ", ".join(_COLUMNS)
_NO_LIMIT = 1 << 60


def insert_judgements(connection: duckdb.DuckDBPyConnection, found: Sequence[Judgement]) -> None:
    """Store calls; those already there are left alone."""
    if found:
        marks = ", ".join("?" for _ in _COLUMNS)
        connection.executemany(
            f"insert into judgements ({_LIST}) values ({marks}) on conflict (id) do nothing",
            [_row(one) for one in found],
        )


def list_judgements(
    connection: duckdb.DuckDBPyConnection, run_id: str, *, status: str, offset: int, limit: int
) -> tuple[int, tuple[Judgement, ...]]:
    """How many calls of a run there are, and a window of them in the order they were made."""
    chosen = "run_id = $run and ($status = '' or status = $status)"
    values = {"run": run_id, "status": status}
    total = connection.execute(f"select count(*) from judgements where {chosen}", values).fetchall()[0][0]
    rows = connection.execute(
        f"select {_LIST} from judgements where {chosen} order by created_at, id limit $limit offset $offset",
        {**values, "limit": limit, "offset": offset},
    ).fetchall()
    return total, tuple(_judgement(row) for row in rows)


def pairs_to_judge(
    connection: duckdb.DuckDBPyConnection, asked: JudgeRequest, *, judge: str, version: str
) -> list[JudgeItem]:
    """Stored pairs that a request asks for, in an order that its seed fixes.

    Flagged pairs and those with twice the same answer are left out, and what ``judge`` has judged by
    this version of the rubric, unless it is to be judged again.
    """
    rows = connection.execute(
        """select e.id, e.prompt, e.context, e.response_a, e.response_b, e.model_a, e.model_b, e.category
           from examples as e
           where ($model = '' or $model in (e.model_a, e.model_b))
             and ($against = '' or (e.model_a = $model and e.model_b = $against)
                  or (e.model_a = $against and e.model_b = $model)
                  or ($model = '' and $against in (e.model_a, e.model_b)))
             and ($category = '' or e.category = $category)
             and e.response_a <> e.response_b
             and e.id not in (select example_id from current_marks where kind = 'flag')
             and ($labeler = '' or e.id in (
                 select example_id from current_preferences
                 where not starts_with(labeler_id, $prefix) and $labeler in ($anybody, labeler_id)))
             and ($again or e.id not in (
                 select item_id from judgements
                 where judge = $judge and rubric_version = $version and status <> 'refused'))
           order by md5($seed || e.id) limit $limit""",
        {
            "model": asked.model,
            "against": asked.against,
            "category": asked.category,
            "labeler": asked.labelled_by,
            "anybody": ANYBODY,
            "prefix": JUDGE_PREFIX,
            "again": asked.again,
            "judge": judge,
            "version": version,
            "seed": str(asked.seed),
            "limit": asked.limit or _NO_LIMIT,
        },
    ).fetchall()
    return [
        JudgeItem(
            id=identity,
            prompt=prompt,
            response_a=response_a,
            response_b=response_b,
            model_a=model_a,
            model_b=model_b,
            context=_context(context),
            example_id=identity,
            category=category,
        )
        for identity, prompt, context, response_a, response_b, model_a, model_b, category in rows
    ]


def answers_to_rate(
    connection: duckdb.DuckDBPyConnection, asked: JudgeRequest, *, judge: str, version: str
) -> list[JudgeItem]:
    """One stored answer of the model to each prompt; an item's id follows from the prompt alone."""
    rows = connection.execute(
        """with given as (
               select id, prompt, context, response_a as response, category from examples
               where model_a = $model
               union all
               select id, prompt, context, response_b, category from examples where model_b = $model)
           select id, prompt, context, response, category from given
           where ($category = '' or category = $category) and trim(response) <> ''
             and id not in (select example_id from current_marks where kind = 'flag')
           qualify row_number() over (partition by prompt, context order by id) = 1
           order by md5($seed || id)""",
        {"model": asked.model, "category": asked.category, "seed": str(asked.seed)},
    ).fetchall()
    done: set[str] = set()
    if not asked.again:
        done = {
            item
            for (item,) in connection.execute(
                """select item_id from judgements
                   where judge = ? and rubric_version = ? and rated = ? and status <> 'refused'""",
                [judge, version, asked.model],
            ).fetchall()
        }
    items: list[JudgeItem] = []
    for identity, prompt, context, response, category in rows:
        item = derived_id("rated", prompt, str(context))
        if item not in done and (not asked.limit or len(items) < asked.limit):
            items.append(
                JudgeItem(
                    id=item,
                    prompt=prompt,
                    response_a=response,
                    model_a=asked.model,
                    context=_context(context),
                    example_id=identity,
                    category=category,
                )
            )
    return items


def _context(stored: Any) -> tuple[dict[str, str], ...]:
    return tuple({"role": turn.role, "content": turn.content} for turn in decode_context(stored))


def _row(one: Judgement) -> list[Any]:
    return [json.dumps(one.chances) if name == "chances" else getattr(one, name) for name in _COLUMNS]


def _judgement(row: Sequence[Any]) -> Judgement:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["chances"] = json.loads(values["chances"]) if values["chances"] else None
    return Judgement(**values)
