"""SQL on ``evaluations``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb

from rlft_tui.evaluations.evaluation import Evaluation

_COLUMNS = Evaluation.__struct_fields__
_LIST = ", ".join(_COLUMNS)


def replace_evaluations(
    connection: duckdb.DuckDBPyConnection, run_id: str, found: Iterable[Evaluation]
) -> None:
    """Store what a run found in place of what is stored of it; safe to repeat."""
    remove_evaluations_of_run(connection, run_id)
    rows = [[getattr(one, name) for name in _COLUMNS] for one in found]
    if rows:
        marks = ", ".join("?" for _ in _COLUMNS)
        connection.executemany(f"insert into evaluations ({_LIST}) values ({marks})", rows)


def list_evaluations(
    connection: duckdb.DuckDBPyConnection, *, model: str = "", suite: str = "", latest: bool = True
) -> tuple[Evaluation, ...]:
    """By suite, task, metric and model, the newest first; ``latest`` keeps the newest of each."""
    rows = connection.execute(
        f"""select {_LIST} from evaluations
            where ($1 = '' or model = $1) and ($2 = '' or suite = $2)
            qualify not $3 or row_number() over (
                partition by model, suite, task, metric order by created_at desc, run_id desc) = 1
            order by suite, task, metric, model, created_at desc, run_id desc""",
        [model, suite, latest],
    ).fetchall()
    return tuple(_evaluation(row) for row in rows)


def runs_with(
    connection: duckdb.DuckDBPyConnection, *, model_key: str, settings: Iterable[str]
) -> dict[str, str]:
    """Hash of a task's settings → the newest run that measured this very model with them."""
    rows = connection.execute(
        """select settings, arg_max(run_id, created_at) from evaluations
           where model_key = $1 and model_key <> '' and list_contains($2, settings) group by settings""",
        [model_key, list(settings)],
    ).fetchall()
    return dict(rows)


def remove_evaluations_of_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Forget what a run found."""
    connection.execute("delete from evaluations where run_id = $1", [run_id])


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    return Evaluation(*row)
