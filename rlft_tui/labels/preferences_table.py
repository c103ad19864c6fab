"""SQL for verdicts, marks and revocations. Rows are only ever appended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, Literal

import duckdb

from rlft_tui.database.bulk_insert import insert_columns
from rlft_tui.labels.feedback import Feedback
from rlft_tui.labels.feedback_table import COLUMNS as FEEDBACK_COLUMNS
from rlft_tui.labels.labeler import JUDGE_PREFIX
from rlft_tui.labels.operations import Operation
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    Mark,
    Preference,
    Recorded,
    Revocation,
)
from rlft_tui.labels.ranking import Ranking, ranking_from
from rlft_tui.labels.rankings_table import COLUMNS as RANKING_COLUMNS
from rlft_tui.labels.reliability import GoldAnswer

PairState = Literal["open", "judged", "skip", "flag"]
"""Where one pair stands for one labeller: a verdict counts before a flag, a flag before a skip."""

_PREFERENCE = (
    "id, example_id, labeler_id, choice, shown_first, confidence, reasoning, time_spent_ms, "
    "source, created_at, strength, quality, arm"
)
OPERATION_COLUMNS: dict[type[Operation], tuple[str, str]] = {
    Preference: ("preferences", _PREFERENCE),
    Mark: ("marks", "id, example_id, labeler_id, kind, note, created_at"),
    BetterAnswer: ("better_answers", "id, example_id, labeler_id, text, created_at"),
    Feedback: ("feedback", FEEDBACK_COLUMNS),
    Ranking: ("rankings", RANKING_COLUMNS),
    GoldAnswer: ("gold_answers", "id, example_id, labeler_id, choice, created_at"),
    Revocation: ("revocations", "id, target_id, labeler_id, created_at"),
}
"""Table and columns of each operation, in the order of its fields."""
_RECORDED: tuple[type[Recorded], ...] = (Preference, Mark, BetterAnswer)
_VALUES = {kind: attrgetter(*columns.split(", ")) for kind, (_, columns) in OPERATION_COLUMNS.items()}
_NOT_TEXT = {
    "confidence": "tinyint",
    "time_spent_ms": "bigint",
    "created_at": "double",
    "strength": "tinyint",
    "score": "double",
}


def insert_operation(connection: duckdb.DuckDBPyConnection, operation: Operation) -> None:
    """Store one operation whose id is new (``on conflict`` would triple the time)."""
    table, columns = OPERATION_COLUMNS[type(operation)]
    values = _VALUES[type(operation)](operation)
    marks = ", ".join("?" * len(values))
    connection.execute(f"insert into {table} ({columns}) values ({marks})", values)


def insert_new(connection: duckdb.DuckDBPyConnection, operations: Iterable[Operation]) -> None:
    """Store many at once whose ids are new and differ."""
    groups: dict[type[Operation], list[tuple[Any, ...]]] = {}
    for operation in operations:
        groups.setdefault(type(operation), []).append(_VALUES[type(operation)](operation))
    for kind, rows in groups.items():
        table, columns = OPERATION_COLUMNS[kind]
        values = zip(columns.split(", "), zip(*rows, strict=True), strict=True)
        insert_columns(
            connection,
            table,
            {name: (_NOT_TEXT.get(name, "varchar"), list(column)) for name, column in values},
        )


def insert_operations(connection: duckdb.DuckDBPyConnection, operations: Iterable[Operation]) -> int:
    """Store many at once; how many were new."""
    groups: dict[type[Operation], list[tuple[Any, ...]]] = {}
    for operation in operations:
        groups.setdefault(type(operation), []).append(_VALUES[type(operation)](operation))
    new = 0
    for kind, rows in groups.items():
        table = OPERATION_COLUMNS[kind][0]
        lists = [list(column) for column in zip(*rows, strict=True)]
        before = _count(connection, f"select count(*) from {table}")
        connection.execute(f"{_insertion(kind)} on conflict (id) do nothing", lists)
        new += _count(connection, f"select count(*) from {table}") - before
    return new


def _insertion(kind: type[Operation]) -> str:
    table, columns = OPERATION_COLUMNS[kind]
    types = [_NOT_TEXT.get(column, "varchar") for column in columns.split(", ")]
    marks = ", ".join(f"unnest(cast(? as {one}[]))" for one in types)
    return f"insert into {table} ({columns}) select {marks}"


def is_stored(connection: duckdb.DuckDBPyConnection, operation: Operation) -> bool:
    table = OPERATION_COLUMNS[type(operation)][0]
    return _exists(connection, f"select 1 from {table} where id = ?", [operation.id])


def example_exists(connection: duckdb.DuckDBPyConnection, example_id: str) -> bool:
    return _exists(connection, "select 1 from examples where id = ?", [example_id])


def find_target(connection: duckdb.DuckDBPyConnection, operation_id: str) -> Recorded | None:
    """The verdict, mark or written answer of that id, revoked or not."""
    for kind in _RECORDED:
        table, columns = OPERATION_COLUMNS[kind]
        for row in connection.execute(
            f"select {columns} from {table} where id = ?", [operation_id]
        ).fetchall():
            return kind(*row)
    return None


def is_revoked(connection: duckdb.DuckDBPyConnection, operation_id: str) -> bool:
    return _exists(connection, "select 1 from revocations where target_id = ?", [operation_id])


def known_ids(
    connection: duckdb.DuckDBPyConnection,
    ids: Sequence[str],
    kinds: Collection[type[Operation]] = tuple(OPERATION_COLUMNS),
) -> set[str]:
    """Which of these ids are stored as operations of some kinds, or of any."""
    if not ids:
        return set()
    tables = " union all ".join(
        f"select id from {OPERATION_COLUMNS[kind][0]} where id in (select unnest($1::varchar[]))"
        for kind in kinds
    )
    return {row[0] for row in connection.execute(tables, [list(ids)]).fetchall()}


def count_orphans(connection: duckdb.DuckDBPyConnection) -> int:
    """Current verdicts on pairs that are not stored."""
    return _count(
        connection,
        """select count(*) from preferences
           where example_id not in (select id from examples)
             and id not in (select target_id from revocations)""",
    )


def operation_ids(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Ids of every operation that is stored."""
    every = " union all ".join(f"select id from {table}" for table, _ in OPERATION_COLUMNS.values())
    return {row[0] for row in connection.execute(every).fetchall()}


def operations_by_id(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Operation]:
    """The stored operations of those ids, oldest first."""
    found: list[Operation] = []
    chosen = "where id in (select unnest(cast(? as varchar[])))"
    for kind, (table, columns) in OPERATION_COLUMNS.items():
        rows = connection.execute(f"select {columns} from {table} {chosen}", [list(ids)]).fetchall()
        found += [operation_of(kind, row) for row in rows]
    return sorted(found, key=lambda one: (one.created_at, one.id))


def operation_of(kind: type[Operation], row: tuple[Any, ...]) -> Operation:
    """The operation in a row of its table's columns."""
    return ranking_from(row) if kind is Ranking else kind(*row)


def pair_state(connection: duckdb.DuckDBPyConnection, labeler: str, example_id: str) -> PairState:
    """Where the pair stands for this labeller now."""
    rows = connection.execute(
        """select 'judged' from preferences
             where example_id = $pair and labeler_id = $labeler and source <> 'repeat'
               and id not in (select target_id from revocations)
           union all
           select kind from marks
             where example_id = $pair and labeler_id = $labeler
               and id not in (select target_id from revocations)""",
        {"pair": example_id, "labeler": labeler},
    ).fetchall()
    found = {row[0] for row in rows}
    states: tuple[PairState, ...] = ("judged", "flag", "skip")
    return next((state for state in states if state in found), "open")


def touch(connection: duckdb.DuckDBPyConnection) -> None:
    """Read something small: what stands now is what the transaction will see."""
    connection.execute("select 1 from preferences limit 1").fetchall()


def list_current(
    connection: duckdb.DuckDBPyConnection, labeler: str, offset: int, limit: int
) -> tuple[Preference, ...]:
    """Current verdicts, oldest first; of all labellers when ``labeler`` is empty."""
    rows = connection.execute(
        f"""select {_PREFERENCE} from current_preferences
            where $labeler = '' or labeler_id = $labeler
            order by created_at, id limit $limit offset $offset""",
        {"labeler": labeler, "limit": limit, "offset": offset},
    ).fetchall()
    return tuple(Preference(*row) for row in rows)


def label_state(connection: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    """Differs whenever labels or pairs were added; rows are never changed and seldom removed."""
    rows = connection.execute(
        """select (select count(*) from preferences), (select count(*) from revocations),
                  (select count(*) from marks), (select count(*) from better_answers),
                  (select count(*) from examples)"""
    ).fetchall()
    return tuple(rows[0])


def count_current(connection: duckdb.DuckDBPyConnection, since: float) -> tuple[int, int, int]:
    """Current verdicts: people's, those of them given after ``since`` (unix seconds), and judges'."""
    rows = connection.execute(
        """select count(*) filter (where not judged),
                  count(*) filter (where not judged and created_at > ?),
                  count(*) filter (where judged)
           from (select created_at, starts_with(labeler_id, ?) as judged from standing_preferences)""",
        [since, JUDGE_PREFIX],
    ).fetchall()
    return rows[0][0], rows[0][1], rows[0][2]


def count_standing(connection: duckdb.DuckDBPyConnection) -> int:
    """Current verdicts of people and judges together; telling them apart would take longer."""
    return _count(
        connection,
        """select count(*) from (
               select distinct labeler_id, example_id from preferences
               where source <> 'repeat' and id not in (select target_id from revocations))""",
    )


def list_history(connection: duckdb.DuckDBPyConnection, labeler: str, limit: int) -> tuple[HistoryEntry, ...]:
    """The labeller's verdicts, marks and written answers, newest first, revoked ones included."""
    query = """with latest as (
                   select {columns} from {table} where labeler_id = ?
                   order by created_at desc, id desc limit ?)
               select latest.*, coalesce(prompt, ''), latest.id in (select target_id from revocations)
               from latest left join examples on examples.id = latest.example_id"""
    entries: list[HistoryEntry] = []
    for kind in _RECORDED:
        table, columns = OPERATION_COLUMNS[kind]
        rows = connection.execute(query.format(columns=columns, table=table), [labeler, limit]).fetchall()
        entries += [HistoryEntry(kind(*row[:-2]), row[-2], row[-1]) for row in rows]
    entries.sort(key=lambda entry: (entry.operation.created_at, entry.operation.id), reverse=True)
    return tuple(entries[:limit])


def _exists(connection: duckdb.DuckDBPyConnection, query: str, values: list[Any]) -> bool:
    return bool(connection.execute(query, values).fetchall())


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
