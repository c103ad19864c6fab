"""SQL on a temporary table of what the verdicts of one import say."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb


class ImportedChoices:
    """Finds verdicts of one file that contradict each other, in a table instead of in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._made = False

    def add(
        self, examples: Sequence[str], labelers: Sequence[str], choices: Sequence[str], lines: Sequence[int]
    ) -> None:
        """The verdicts of some lines, column by column."""
        if not self._made:
            self._connection.execute(
                """create or replace temp table imported_choices (
                    example_id varchar, labeler varchar, choice varchar, line bigint)"""
            )
            self._made = True
        self._connection.execute(
            """insert into imported_choices
               select unnest($1::varchar[]), unnest($2::varchar[]), unnest($3::varchar[]),
                      unnest($4::bigint[])""",
            [list(examples), list(labelers), list(choices), list(lines)],
        )

    def contradictions(self, most: int) -> list[tuple[int, int]]:
        """Lines that say otherwise than an earlier line on the same pair, and that line; then forgets all."""
        if not self._made:
            return []
        rows = self._connection.execute(
            """with doubtful as (
                   select example_id, labeler, min(line) as first_line,
                          arg_min(choice, line) as first_choice
                   from imported_choices group by all having min(choice) <> max(choice))
               select line, first_line from imported_choices join doubtful using (example_id, labeler)
               where choice <> first_choice order by line limit $1""",
            [most],
        ).fetchall()
        self._connection.execute("drop table imported_choices")
        self._made = False
        return [(int(line), int(first)) for line, first in rows]
