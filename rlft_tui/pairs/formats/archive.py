"""The workspace's own archive: every pair and label operation with its id and times, one a line.

``rlft labels export FILE --format archive`` writes it. The first line says which version
it is; the others are told apart by ``kind``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from rlft_tui.errors import RlftError
from rlft_tui.pairs.pair_row import OperationRow, Origin, PairRow
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.messages import RowError, checked_text

SAYS = "an archive of rlft labels export"
VERSION = 1
HEADER = "archive"
PAIR = "pair"
END = "archive_end"
_MARK = "rlft_archive"


def header() -> dict[str, Any]:
    """The first line of an archive."""
    return {"kind": HEADER, _MARK: VERSION}


def end(pairs: int, labels: int) -> dict[str, Any]:
    """The last line of an archive; without it the file was cut short."""
    return {"kind": END, "pairs": pairs, "labels": labels}


def matches(values: dict[str, Any]) -> bool:
    kind = values.get("kind")
    if kind in (HEADER, END):
        return _MARK in values or "labels" in values
    if kind == PAIR:
        return "id" in values and "response_a" in values
    return isinstance(kind, str) and "id" in values and "labeler_id" in values


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow | OperationRow, ...]:
    """The line's pair under its own id, or its operation. Raises RowError."""
    kind = values.get("kind")
    if kind == HEADER:
        if values.get(_MARK) != VERSION:
            raise RowError(f"an archive of another version; this rlft reads version {VERSION}")
        origin.state["archive is open"] = True
        return ()
    if kind == END:
        origin.state["archive is open"] = False
        return ()
    if not isinstance(kind, str):
        raise RowError("has no kind")
    if kind != PAIR:
        return (OperationRow(line, values),)
    try:
        pair = msgspec.convert(values, ResponsePair)
        orjson.dumps(pair.settings)
    except (msgspec.ValidationError, orjson.JSONEncodeError, RecursionError) as error:
        raise RowError(f"not a valid pair: {error}") from None
    if not pair.id or not pair.prompt.strip():
        raise RowError("a pair needs an id and a prompt")
    for name in ("id", "prompt", "response_a", "response_b", "model_a", "model_b", "category", "source"):
        checked_text(getattr(pair, name), name)
    for turn in pair.context:
        checked_text(turn.content, "context")
    return (PairRow(line, pair, own_id=True),)


def finish(origin: Origin) -> Iterator[PairRow]:
    """RlftError when the archive has no last line."""
    if origin.state.get("archive is open"):
        raise RlftError(
            "the archive is cut short",
            where=origin.source,
            remedy="Copy it again; nothing of it was imported",
        )
    yield from ()
