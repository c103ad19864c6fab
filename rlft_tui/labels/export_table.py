"""SQL that reads labels for an export: a page at a time, in the order the pairs came in."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import duckdb

from rlft_tui.labels.labelled_pair import ExportHead, LabelledPair
from rlft_tui.labels.operations import Operation
from rlft_tui.labels.preference import BetterAnswer, Preference
from rlft_tui.labels.preferences_table import OPERATION_COLUMNS, operation_of
from rlft_tui.pairs.pairs_table import PAIR_COLUMNS, pair_from_row
from rlft_tui.pairs.response_pair import ResponsePair

PAGE = 1000
_CURRENT = {Preference: "current_preferences", BetterAnswer: "current_better_answers"}

Place = tuple[int, int]
"""Row numbers of a pair and of a label about it."""


class LabelledPairs:
    """The pairs with a current verdict or a written answer; of all labellers when ``labeler`` is empty.

    Keeps row numbers only, sixteen bytes a label, and reads the texts a page at a time:
    one sorted join of a million long answers would not fit into the memory allowed.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, labeler: str = "") -> None:
        self._connection = connection
        self._verdicts = _places(connection, Preference, labeler)
        self._written = _places(connection, BetterAnswer, labeler)
        flagged = connection.execute(
            "select distinct example_id from current_marks where kind = 'flag'"
        ).fetchall()
        self._flagged = {identity for (identity,) in flagged}
        self._pairs = sorted({*self._verdicts[0], *self._written[0]})
        strengths = connection.execute(
            """select count(strength), (select count(*) from examples) from current_preferences
               where $1 = '' or labeler_id = $1""",
            [labeler],
        ).fetchall()[0]
        self.head = ExportHead(len(self._pairs), len(self._verdicts[0]), strengths[0], strengths[1])

    def __iter__(self) -> Iterator[LabelledPair]:
        verdicts, written = _Cursor(self._verdicts), _Cursor(self._written)
        for start in range(0, len(self._pairs), PAGE):
            rows = self._pairs[start : start + PAGE]
            judged = self._labels(Preference, verdicts.up_to(rows[-1]))
            better = self._labels(BetterAnswer, written.up_to(rows[-1]))
            for row, pair in self._page(rows):
                yield LabelledPair(pair, judged.get(row, ()), better.get(row, ()), pair.id in self._flagged)

    def _page(self, rows: Sequence[int]) -> list[tuple[int, ResponsePair]]:
        found = self._connection.execute(
            f"""select rowid, {PAIR_COLUMNS} from examples
                where rowid between $1 and $2 and rowid in (select unnest($3::bigint[])) order by rowid""",
            [rows[0], rows[-1], list(rows)],
        ).fetchall()
        return [(row[0], pair_from_row(row[1:])) for row in found]

    def _labels(self, kind: type[Any], places: Sequence[Place]) -> dict[int, tuple[Any, ...]]:
        """Row number of each pair to its labels."""
        if not places:
            return {}
        table, columns = OPERATION_COLUMNS[kind]
        numbers = [label for _, label in places]
        found = self._connection.execute(
            f"""select rowid, {columns} from {table}
                where rowid between $1 and $2 and rowid in (select unnest($3::bigint[]))""",
            [min(numbers), max(numbers), numbers],
        ).fetchall()
        labels = {row[0]: kind(*row[1:]) for row in found}
        return {
            pair: tuple(labels[label] for _, label in group)
            for pair, group in groupby(places, key=lambda place: place[0])
        }


class _Cursor:
    """Goes once through places that are sorted by pair."""

    def __init__(self, places: tuple[array[int], array[int]]) -> None:
        self._pairs, self._labels = places
        self._at = 0

    def up_to(self, last: int) -> list[Place]:
        start = self._at
        while self._at < len(self._pairs) and self._pairs[self._at] <= last:
            self._at += 1
        chosen = slice(start, self._at)
        return list(zip(self._pairs[chosen], self._labels[chosen], strict=True))


def all_pairs(connection: duckdb.DuckDBPyConnection) -> Iterator[list[ResponsePair]]:
    """Every pair, in pages."""
    for rows in _pages(connection, "examples", PAIR_COLUMNS, ""):
        yield [pair_from_row(row) for row in rows]


def all_operations(connection: duckdb.DuckDBPyConnection, labeler: str) -> Iterator[list[Operation]]:
    """Every label operation, in pages, taken back or not; what takes back comes last."""
    for kind, (table, columns) in OPERATION_COLUMNS.items():
        for rows in _pages(connection, table, columns, labeler):
            yield [operation_of(kind, row) for row in rows]


def _pages(
    connection: duckdb.DuckDBPyConnection, table: str, columns: str, labeler: str
) -> Iterator[list[tuple[Any, ...]]]:
    last = connection.execute(f"select max(rowid) from {table}").fetchall()[0][0]
    whose = "and labeler_id = $3" if labeler else ""
    for start in range(0, 0 if last is None else last + 1, PAGE):
        rows = connection.execute(
            f"select {columns} from {table} where rowid between $1 and $2 {whose} order by rowid",
            [start, start + PAGE - 1, *([labeler] if labeler else [])],
        ).fetchall()
        if rows:
            yield rows


def _places(connection: duckdb.DuckDBPyConnection, kind: Any, labeler: str) -> tuple[array[int], array[int]]:
    """Row numbers of the pairs and of the current labels, sorted by pair and time."""
    table = OPERATION_COLUMNS[kind][0]
    found = connection.execute(
        f"""select examples.rowid, label.rowid from {table} as label
            join examples on examples.id = label.example_id
            where label.id in (select id from {_CURRENT[kind]} where $1 = '' or labeler_id = $1)
            order by examples.rowid, label.created_at, label.id""",
        [labeler],
    )
    pairs, labels = array("q"), array("q")
    while rows := found.fetchmany(10_000):
        pairs.extend(row[0] for row in rows)
        labels.extend(row[1] for row in rows)
    return pairs, labels
