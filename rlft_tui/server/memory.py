"""Memory that was freed, handed back to the system: a server runs for weeks."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_ARENA_MAX = -8
"""glibc's M_ARENA_MAX."""


def few_arenas() -> None:
    """One heap for all threads: with one a thread, runs read side by side took twice their size."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Ask the allocator to return free pages; nothing happens where it cannot (glibc alone can)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
