"""SQL for what one labeller did, newest first, and for the answers that were written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from rlft_tui.errors import RlftError
from rlft_tui.labels.preference import BetterAnswer, HistoryEntry, ListedLabel, Mark, Preference
from rlft_tui.labels.preferences_table import list_current, operations_by_id

KINDS = ("verdict", "skip", "flag", "written")
"""What history can be narrowed down to."""

_PROMPT_SHOWN = 300
"""Characters of a prompt in a table's row."""
_OWN = {
    "verdict": """select id, example_id, created_at, reasoning as words, source = 'repeat' as aside
                  from preferences where labeler_id = $labeler""",
    "skip": """select id, example_id, created_at, note as words, false as aside
               from marks where labeler_id = $labeler and kind = 'skip'""",
    "flag": """select id, example_id, created_at, note as words, false as aside
               from marks where labeler_id = $labeler and kind = 'flag'""",
    "written": """select id, example_id, created_at, text as words, false as aside
                  from better_answers where labeler_id = $labeler""",
}
_STANDING = """
    select id from current_preferences
    where labeler_id = $labeler and example_id in (select unnest($pairs::varchar[]))
    union all
    select id from current_better_answers
    where labeler_id = $labeler and example_id in (select unnest($pairs::varchar[]))
    union all
    select id from marks where labeler_id = $labeler"""


def list_history(
    connection: duckdb.DuckDBPyConnection,
    labeler: str,
    limit: int,
    *,
    offset: int = 0,
    search: str = "",
    only: str = "",
) -> tuple[HistoryEntry, ...]:
    """The labeller's verdicts, marks and written answers, newest first, revoked ones included.

    ``search`` is looked for in the prompt and in the labeller's own words, letter case aside.
    ``only`` is one of KINDS, or empty for all.
    """
    if only and only not in KINDS:
        raise RlftError(f"no kind of label {only!r}", remedy=f"One of {', '.join(KINDS)}")
    values: dict[str, Any] = {"labeler": labeler, "limit": limit, "offset": offset}
    matching = ""
    if search:
        values["search"] = search
        matching = """where contains(lower(prompt), lower($search))
                         or contains(lower(words), lower($search))"""
    own = " union all ".join(_OWN[one] for one in KINDS if only in ("", one))
    # The page is cut before anything is joined to it where that can be: a million labels are not.
    if search:
        own = f"""select own.*, prompt from ({own}) as own
                  left join examples on examples.id = own.example_id {matching}"""
    page = connection.execute(
        f"""select id, example_id, aside from ({own})
            order by created_at desc, id desc limit $limit offset $offset""",
        values,
    ).fetchall()
    pairs = list({row[1] for row in page})
    prompts = dict(
        connection.execute(
            "select id, prompt from examples where id in (select unnest($1::varchar[]))", [pairs]
        ).fetchall()
    )
    revoked = _among(connection, "select target_id from revocations", {}, page)
    standing = _among(connection, _STANDING, {"labeler": labeler, "pairs": pairs}, page)
    found = {one.id: one for one in operations_by_id(connection, [row[0] for row in page])}
    entries = []
    for identity, pair, aside in page:
        operation = found[identity]
        assert isinstance(operation, Preference | Mark | BetterAnswer)
        taken_back = identity in revoked
        replaced = not (aside or taken_back or identity in standing)
        entries.append(HistoryEntry(operation, prompts.get(pair, ""), taken_back, superseded=replaced))
    return tuple(entries)


def _among(
    connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any], page: Sequence[Any]
) -> set[str]:
    """Which ids of the page are among those that the query gives."""
    ids = [row[0] for row in page]
    rows = connection.execute(
        f"select * from ({query}) as found(id) where id in (select unnest($ids::varchar[]))",
        {**values, "ids": ids},
    ).fetchall()
    return {row[0] for row in rows}


def list_labels(
    connection: duckdb.DuckDBPyConnection, labeler: str, offset: int, limit: int
) -> tuple[ListedLabel, ...]:
    """Current verdicts with what was asked, oldest first; of all labellers when ``labeler`` is empty."""
    verdicts = list_current(connection, labeler, offset, limit)
    rows = connection.execute(
        f"""select id, left(prompt, {_PROMPT_SHOWN}) from examples
            where id in (select unnest(cast(? as varchar[])))""",
        [[one.example_id for one in verdicts]],
    ).fetchall()
    prompts = dict(rows)
    return tuple(ListedLabel(one, prompts.get(one.example_id, "")) for one in verdicts)


def list_written(
    connection: duckdb.DuckDBPyConnection, labeler: str, offset: int, limit: int
) -> tuple[BetterAnswer, ...]:
    """Each labeller's latest better answer on each pair, oldest first; of all when ``labeler`` is empty."""
    rows = connection.execute(
        """select id, example_id, labeler_id, text, created_at from current_better_answers
           where $labeler = '' or labeler_id = $labeler
           order by created_at, id limit $limit offset $offset""",
        {"labeler": labeler, "limit": limit, "offset": offset},
    ).fetchall()
    return tuple(BetterAnswer(*row) for row in rows)
