"""Many rows in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

_NUMBERS = {"double": "float64", "bigint": "int64", "integer": "int32"}
"""SQL types that numpy holds as they are, as long as no value is null."""


def insert_columns(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, tuple[str, Sequence[Any]]]
) -> None:
    """Insert rows that are given column by column: name to SQL type and values, all equally long.

    The values travel as numpy arrays, which DuckDB reads in place: a list that is bound to a
    parameter is copied value by value, at five times the cost. A column that holds one value
    only is sent once.
    """
    import numpy

    chosen: list[str] = []
    values: list[Any] = []
    arrays: dict[str, Any] = {}
    for name, (kind, column) in columns.items():
        first = column[0]
        # One array has to stay, for it tells the number of rows.
        if arrays and column[-1] == first and all(value == first for value in column):
            values.append(first)
            chosen.append(f"cast(${len(values)} as {kind})")
        elif kind in _NUMBERS and None not in column:
            arrays[name] = numpy.array(column, dtype=_NUMBERS[kind])
            chosen.append(name)
        else:
            arrays[name] = numpy.empty(len(column), dtype=object)
            arrays[name][:] = column if kind == "varchar" else _as_text(column)
            chosen.append(name if kind == "varchar" else f"cast(nullif({name}, '') as {kind})")
    connection.execute(
        f"insert into {table} ({', '.join(columns)}) select {', '.join(chosen)} from arrays", values
    )


def _as_text(column: Sequence[Any]) -> list[str]:
    """Null as the empty text: what DuckDB takes a column of nulls for depends on a sample of it."""
    return ["" if value is None else str(value) for value in column]
