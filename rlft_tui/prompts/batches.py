"""Rows in batches that are quick to store and small enough to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

BATCH_ROWS = 8000
"""Each batch scans the stored digests once, so many small ones are slow."""
BATCH_CHARACTERS = 16_000_000


def batches(
    rows: Iterable[T],
    size: Callable[[T], int],
    *,
    most_rows: int = BATCH_ROWS,
    most_characters: int = BATCH_CHARACTERS,
) -> Iterator[list[T]]:
    """Consecutive rows, as many as allowed; a batch ends with the row that takes it over the size."""
    batch: list[T] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += size(row)
        if len(batch) >= most_rows or characters >= most_characters:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
