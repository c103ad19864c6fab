"""Memory that was freed, handed back to the system: a server runs for weeks."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
"""Options of glibc's mallopt."""
_LARGE = 1 << 20
"""Bytes from which a block has pages of its own: a curve that grows keeps them and is not copied."""


def arrange_heap() -> None:
    """One heap for all threads, and large blocks apart from it; nothing happens without glibc.

    With a heap a thread, runs that were read side by side took twice their size.
    """
    with suppress(OSError, AttributeError):
        glibc = ctypes.CDLL(None)
        glibc.mallopt(_ARENA_MAX, 1)
        glibc.mallopt(_MMAP_THRESHOLD, _LARGE)
        glibc.mallopt(_TRIM_THRESHOLD, 16 * _LARGE)


def give_back() -> None:
    """Ask the allocator to return free pages; nothing happens where it cannot (glibc alone can)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
