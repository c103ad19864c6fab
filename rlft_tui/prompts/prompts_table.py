"""SQL on ``prompts``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import duckdb
import msgspec

from rlft_tui.errors import NotFoundError
from rlft_tui.prompts.prompt import Message, Prompt

_COLUMNS = "id, prompt, context, category, source, created_at"
_MATCH = """($search = '' or contains(lower(prompt), lower($search)))
    and ($category = '' or category = $category)"""


def content_bytes(*parts: str) -> bytes:
    """128 bits of BLAKE2b over the parts: equal content, equal bytes."""
    # The lengths come first, so that no two lists of parts run together to the same text.
    text = " ".join([str(len(part)) for part in parts]) + "\n" + "".join(parts)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def content_digest(*parts: str) -> str:
    """``content_bytes`` as a UUID."""
    digits = content_bytes(*parts).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def prompt_digest(prompt: str, context: Sequence[Message]) -> str:
    """The digest by which two prompts are the same one."""
    return content_digest("prompt", prompt, *(part for turn in context for part in (turn.role, turn.content)))


def store_prompts(connection: duckdb.DuckDBPyConnection, prompts: Sequence[Prompt]) -> int:
    """Add those whose content and id are new; how many were."""
    if not prompts:
        return 0
    rows: dict[str, Prompt] = {}
    for prompt in prompts:
        rows.setdefault(prompt_digest(prompt.prompt, prompt.context), prompt)
    known = connection.execute(
        """select digest::varchar, id from prompts
           where digest in (select unnest($1::uuid[])) or id in (select unnest($2::varchar[]))""",
        [list(rows), [prompt.id for prompt in rows.values()]],
    ).fetchall()
    taken = {word for row in known for word in row}
    rows = {digest: one for digest, one in rows.items() if digest not in taken and one.id not in taken}
    if not rows:
        return 0
    connection.execute(
        f"""insert into prompts ({_COLUMNS}, digest)
            select unnest($1::varchar[]), unnest($2::varchar[]), unnest($3::varchar[]),
                   unnest($4::varchar[]), unnest($5::varchar[]), unnest($6::double[]), unnest($7::uuid[])""",
        [
            [prompt.id for prompt in rows.values()],
            [prompt.prompt for prompt in rows.values()],
            [encode_context(prompt.context) for prompt in rows.values()],
            [prompt.category for prompt in rows.values()],
            [prompt.source for prompt in rows.values()],
            [prompt.created_at for prompt in rows.values()],
            list(rows),
        ],
    )
    return len(rows)


def prompts_page(
    connection: duckdb.DuckDBPyConnection,
    *,
    offset: int = 0,
    limit: int = 100,
    search: str = "",
    category: str = "",
) -> tuple[int, tuple[Prompt, ...]]:
    """How many prompts match, and the window of them, in the order they came in."""
    where: dict[str, Any] = {"search": search, "category": category}
    total = connection.execute(f"select count(*) from prompts where {_MATCH}", where).fetchall()[0][0]
    rows = connection.execute(
        f"""select {_COLUMNS} from prompts where rowid in (
                select rowid from prompts where {_MATCH} order by rowid limit $limit offset $offset)
            order by rowid""",
        {**where, "limit": max(limit, 0), "offset": max(offset, 0)},
    ).fetchall()
    return int(total), tuple(_prompt(row) for row in rows)


def prompt_by_id(connection: duckdb.DuckDBPyConnection, prompt_id: str) -> Prompt:
    """Raises NotFoundError."""
    rows = connection.execute(f"select {_COLUMNS} from prompts where id = $1", [prompt_id]).fetchall()
    if not rows:
        raise NotFoundError(f"no prompt {prompt_id!r}", remedy="List them: rlft prompts list")
    return _prompt(rows[0])


def count_prompts(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("select count(*) from prompts").fetchall()[0][0])


def prompt_categories(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Category to number of prompts, by name."""
    rows = connection.execute("select category, count(*) from prompts group by 1 order by 1").fetchall()
    return {str(category): int(count) for category, count in rows}


def encode_context(context: Sequence[Message]) -> str:
    """Messages as the JSON that the context columns hold."""
    return msgspec.json.encode(context).decode() if context else "[]"


_decoder = msgspec.json.Decoder(tuple[Message, ...])


def decode_context(text: str) -> tuple[Message, ...]:
    """The messages in a context column."""
    return _decoder.decode(text) if text != "[]" else ()


def _prompt(row: tuple[Any, ...]) -> Prompt:
    identity, prompt, context, category, source, created_at = row
    return Prompt(identity, prompt, decode_context(context), category, source, created_at)
