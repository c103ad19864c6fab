"""The lossless archive of a workspace's pairs and labels, line by line; see pairs/formats/archive.py."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import msgspec

from rlft_tui.labels.export_table import all_operations, all_pairs
from rlft_tui.labels.journal import encoded
from rlft_tui.labels.reliability import GoldAnswer
from rlft_tui.pairs.formats import archive


def archive_lines(
    connection: duckdb.DuckDBPyConnection, labeler: str = "", *, gold: bool = True
) -> Iterator[bytes]:
    """The archive in pieces of whole lines: every pair, and every operation of one labeller or of all.

    ``gold``: whether it tells the right answers of gold pairs.
    """
    encode = msgspec.json.Encoder().encode
    yield encode(archive.header()) + b"\n"
    pairs = labels = 0
    for page in all_pairs(connection):
        pairs += len(page)
        yield b"".join(encode({"kind": archive.PAIR, **msgspec.to_builtins(pair)}) + b"\n" for pair in page)
    for operations in all_operations(connection, labeler):
        if not gold:
            operations = [one for one in operations if not isinstance(one, GoldAnswer)]
        labels += len(operations)
        yield encoded(operations)
    yield encode(archive.end(pairs, labels)) + b"\n"
