"""Which pairs each window of a labeller holds, so that another window of theirs shows others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

HELD_SECONDS = 90.0
"""A window that has not asked for so long holds nothing any more: it was closed, or its reader is gone."""


class WindowHolds:
    """Keys of queue items by labeller and window. Not thread-safe: its owner locks."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._held: dict[str, dict[str, tuple[float, frozenset[str]]]] = {}

    def keep(self, labeler: str, window: str, keys: Iterable[str]) -> None:
        """All that the window holds now; what it held before is free again."""
        since = self._now() - HELD_SECONDS
        windows = {name: held for name, held in self._held.get(labeler, {}).items() if held[0] >= since}
        windows[window] = (self._now(), frozenset(keys))
        self._held[labeler] = windows

    def elsewhere(self, labeler: str, window: str) -> frozenset[str]:
        """What the labeller's other windows hold."""
        since = self._now() - HELD_SECONDS
        held = self._held.get(labeler, {}).items()
        return frozenset[str]().union(*(keys for name, (at, keys) in held if name != window and at >= since))
