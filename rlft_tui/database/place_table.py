"""SQL on ``place``: where the workspace lay when it was last open."""

from __future__ import annotations

import duckdb

_PATHS = (("datasets", "path"), ("models", "path"), ("models", "base_path"))
"""Columns with absolute paths, some of them inside the workspace."""


def relocate(connection: duckdb.DuckDBPyConnection, root: str) -> str:
    """Make the stored paths those of a workspace at ``root``; where it lay before, if elsewhere.

    Paths outside the workspace, such as models in the cache, stay as they are.
    """
    rows = connection.execute("select root from place").fetchall()
    before = str(rows[0][0]) if rows else ""
    if before == root:
        return ""
    connection.execute("begin transaction")
    try:
        if before:
            for table, column in _PATHS:
                connection.execute(
                    f"""update {table} set {column} = $1 || substr({column}, length($2) + 1)
                        where starts_with({column}, $2 || '/')""",
                    [root, before],
                )
            connection.execute("update place set root = $1", [root])
        else:
            connection.execute("insert into place values ($1)", [root])
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return before
