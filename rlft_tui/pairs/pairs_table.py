"""SQL on ``examples``: the response pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import orjson

from rlft_tui.database.bulk_insert import insert_columns
from rlft_tui.errors import NotFoundError
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message
from rlft_tui.prompts.prompts_table import content_digest, decode_context, encode_context
from rlft_tui.record import Record

PAIR_COLUMNS = (
    "id, prompt, response_a, response_b, model_a, model_b, category, source, context, settings, created_at"
)
"""In the order of ResponsePair's fields; see ``pair_from_row``."""
_MATCH = """($search = '' or contains(lower(prompt), lower($search))
        or contains(lower(response_a), lower($search)) or contains(lower(response_b), lower($search)))
    and ($category = '' or category = $category)"""


class StoredPairs(Record, frozen=True):
    """Where rows given to ``store_pairs`` ended up."""

    ids: tuple[str, ...]
    """The id of each row, in order: its own, or that of the equal pair that was there before."""
    added: int
    new: tuple[bool, ...]
    """Whether each row is one of those added."""


def pair_digest(
    prompt: str, context: Sequence[Message], response_a: str, response_b: str, model_a: str, model_b: str
) -> str:
    """The digest by which two pairs are the same one. Sides and models count, category does not."""
    turns = (part for turn in context for part in (turn.role, turn.content))
    return content_digest("pair", prompt, response_a, response_b, model_a, model_b, *turns)


def digest_of(pair: ResponsePair) -> str:
    """``pair_digest`` of a pair."""
    return pair_digest(
        pair.prompt, pair.context, pair.response_a, pair.response_b, pair.model_a, pair.model_b
    )


def store_pairs(
    connection: duckdb.DuckDBPyConnection,
    pairs: Sequence[ResponsePair],
    digests: Sequence[str] | None = None,
) -> StoredPairs:
    """Add those whose content is new, within the batch too.

    ``digests`` saves the time to compute them, where they are known (see ``digest_of``).
    """
    if digests is None:
        digests = [digest_of(pair) for pair in pairs]
    rows = connection.execute(
        "select digest::varchar, id from examples where digest in (select unnest($1::uuid[]))",
        [list(dict.fromkeys(digests))],
    ).fetchall()
    known: dict[str, str] = dict(rows)
    fresh: dict[str, ResponsePair] = {}
    ids: list[str] = []
    for pair, digest in zip(pairs, digests, strict=True):
        if digest not in known:
            known[digest] = pair.id
            fresh[digest] = pair
        ids.append(known[digest])
    # Where the id is the digest, as in an import, it has just been looked up.
    doubtful = [pair.id for digest, pair in fresh.items() if pair.id != digest]
    added = _insert(connection, list(fresh.values()), list(fresh), doubtful)
    new = tuple(
        fresh.get(digest) is pair and pair.id in added for pair, digest in zip(pairs, digests, strict=True)
    )
    return StoredPairs(tuple(ids), len(added), new)


def add_pairs(connection: duckdb.DuckDBPyConnection, pairs: Sequence[ResponsePair]) -> int:
    """Add those whose id is new, whatever their content; how many were.

    For pairs made here, whose ids others already refer to; repeating the call adds nothing.
    """
    return len(_insert(connection, pairs, [digest_of(pair) for pair in pairs], [pair.id for pair in pairs]))


def _insert(
    connection: duckdb.DuckDBPyConnection,
    pairs: Sequence[ResponsePair],
    digests: Sequence[str],
    doubtful: Sequence[str],
) -> set[str]:
    """Add the rows whose id is new; their ids. ``on conflict`` would do it, but does not keep their order.

    ``doubtful``: the ids among them that may be stored already.
    """
    taken = known_pair_ids(connection, doubtful)
    rows: dict[str, tuple[ResponsePair, str]] = {}
    for pair, digest in zip(pairs, digests, strict=True):
        if pair.id not in taken:
            rows.setdefault(pair.id, (pair, digest))
    if rows:
        _insert_rows(connection, [pair for pair, _ in rows.values()], [digest for _, digest in rows.values()])
    return set(rows)


def _insert_rows(
    connection: duckdb.DuckDBPyConnection, pairs: Sequence[ResponsePair], digests: Sequence[str]
) -> None:
    insert_columns(
        connection,
        "examples",
        {
            "id": ("varchar", [pair.id for pair in pairs]),
            "prompt": ("varchar", [pair.prompt for pair in pairs]),
            "response_a": ("varchar", [pair.response_a for pair in pairs]),
            "response_b": ("varchar", [pair.response_b for pair in pairs]),
            "model_a": ("varchar", [pair.model_a for pair in pairs]),
            "model_b": ("varchar", [pair.model_b for pair in pairs]),
            "category": ("varchar", [pair.category for pair in pairs]),
            "source": ("varchar", [pair.source for pair in pairs]),
            "context": ("varchar", [encode_context(pair.context) for pair in pairs]),
            "settings": (
                "varchar",
                [orjson.dumps(pair.settings).decode() if pair.settings else "{}" for pair in pairs],
            ),
            "created_at": ("double", [pair.created_at for pair in pairs]),
            "digest": ("uuid", digests),
            "length_a": ("integer", [len(pair.response_a) for pair in pairs]),
            "length_b": ("integer", [len(pair.response_b) for pair in pairs]),
        },
    )


def known_pair_ids(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> set[str]:
    """Which of these pairs are stored."""
    if not ids:
        return set()
    rows = connection.execute(
        "select id from examples where id in (select unnest($1::varchar[]))", [list(set(ids))]
    ).fetchall()
    return {identity for (identity,) in rows}


def pairs_page(
    connection: duckdb.DuckDBPyConnection,
    *,
    offset: int = 0,
    limit: int = 100,
    search: str = "",
    category: str = "",
) -> tuple[int, tuple[ResponsePair, ...]]:
    """How many pairs match, and the window of them, in the order they came in."""
    where: dict[str, Any] = {"search": search, "category": category}
    # Row numbers first: sorting the texts themselves takes five times as long deep in the list.
    # Both answers from one scan: a search of a million pairs reads all their texts.
    total, places = connection.execute(
        f"""with found as materialized (select rowid as place from examples where {_MATCH}),
            shown as (select place from found order by place limit $limit offset $offset)
            select (select count(*) from found), (select list(place order by place) from shown)""",
        {**where, "limit": max(limit, 0), "offset": max(offset, 0)},
    ).fetchall()[0]
    rows = connection.execute(
        f"""select {PAIR_COLUMNS} from examples
            where rowid in (select unnest(cast(? as bigint[]))) order by rowid""",
        [places or []],
    ).fetchall()
    return int(total), tuple(pair_from_row(row) for row in rows)


def pair_by_id(connection: duckdb.DuckDBPyConnection, pair_id: str) -> ResponsePair:
    """Raises NotFoundError."""
    rows = connection.execute(f"select {PAIR_COLUMNS} from examples where id = $1", [pair_id]).fetchall()
    if not rows:
        raise NotFoundError(f"no pair {pair_id!r}", remedy="List them: rlft pairs list")
    return pair_from_row(rows[0])


def pairs_by_ids(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> tuple[ResponsePair, ...]:
    """The pairs with these ids, in this order; unknown ids are left out."""
    if not ids:
        return ()
    # A list of parameters is looked up in half the time of a join with an unnested one.
    places = ", ".join("?" * len(ids))
    rows = connection.execute(
        f"select {PAIR_COLUMNS} from examples where id in ({places})", list(ids)
    ).fetchall()
    found = {row[0]: pair_from_row(row) for row in rows}
    return tuple(found[identity] for identity in ids if identity in found)


def count_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("select count(*) from examples").fetchall()[0][0])


def pair_categories(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Category to number of pairs, by name."""
    rows = connection.execute("select category, count(*) from examples group by 1 order by 1").fetchall()
    return {str(category): int(count) for category, count in rows}


def pair_from_row(row: Sequence[Any]) -> ResponsePair:
    """A row of PAIR_COLUMNS as a pair."""
    identity, prompt, a, b, model_a, model_b, category, source, context, settings, created_at = row
    return ResponsePair(
        id=identity,
        prompt=prompt,
        response_a=a,
        response_b=b,
        model_a=model_a,
        model_b=model_b,
        category=category,
        source=source,
        context=decode_context(context),
        settings=orjson.loads(settings) if settings != "{}" else {},
        created_at=created_at,
    )
