"""Numbers with the noun they count: one row, two rows."""

from __future__ import annotations


def plural(count: int, one: str, many: str = "") -> str:
    """``row`` for one, ``rows`` for any other number; ``many`` where an s is not all that changes."""
    return one if count == 1 else many or f"{one}s"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {plural(count, one, many)}"
