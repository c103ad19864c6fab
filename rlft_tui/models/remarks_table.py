"""SQL on ``model_remarks``: what people say of a model."""

from __future__ import annotations

import duckdb
import orjson

from rlft_tui.errors import RlftError

MOST_TAGS = 20
LONGEST_TAG = 40
LONGEST_NOTE = 4000


def remarks(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Note and tags by the model's name."""
    rows = connection.execute("select name, note, tags from model_remarks").fetchall()
    return {name: (note, tuple(orjson.loads(tags))) for name, note, tags in rows}


def set_remarks(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    *,
    note: str | None = None,
    add: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
) -> None:
    """Change what is given: the whole note, single tags. RlftError for a tag that is none."""
    old_note, old_tags = remarks(connection).get(name, ("", ()))
    for tag in add:
        if not tag.strip() or len(tag) > LONGEST_TAG or any(c.isspace() or not c.isprintable() for c in tag):
            raise RlftError(
                f"not a tag: {tag[:LONGEST_TAG]!r}",
                where=name,
                remedy=f"One word of at most {LONGEST_TAG} characters",
            )
    if note is not None and len(note) > LONGEST_NOTE:
        raise RlftError(
            f"the note has {len(note):,} characters", where=name, remedy=f"{LONGEST_NOTE} at most"
        )
    tags = tuple(dict.fromkeys((*(tag for tag in old_tags if tag not in drop), *add)))
    if len(tags) > MOST_TAGS:
        raise RlftError(f"{len(tags)} tags", where=name, remedy=f"{MOST_TAGS} at most")
    connection.execute(
        "insert or replace into model_remarks values ($1, $2, $3)",
        [name, old_note if note is None else note.strip(), orjson.dumps(tags).decode()],
    )


def forget_remarks(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute("delete from model_remarks where name = $1", [name])
