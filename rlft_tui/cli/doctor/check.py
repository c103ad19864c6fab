"""One thing that rlft doctor looks at."""

from __future__ import annotations

from rlft_tui.record import Record


class Check(Record, frozen=True):
    """What was found, and the remedy for what is not well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    essential: bool = False
    """Whether rlft cannot work without it; anything else may be missing."""


def size(count: float) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
