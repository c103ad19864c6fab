"""Where a run stands in the line for the device; the line is nothing but these files in the run folders.

A place counts only as long as the run has made no more attempts than when it was given: the
attempt record that the keeper writes takes the run out of the line, whatever else is killed.
"""

from __future__ import annotations

import time

from rlft_tui.record import Record


class QueuePlace(Record, frozen=True):
    """One run's place."""

    order: float
    """Smaller ones start first."""
    attempts: int
    """Attempts that the run had made when it was put here."""
    since: float
    """Unix seconds."""
    held: bool = False
    """Paused: it keeps its place, and is not started."""
    not_before: float = 0.0
    """Unix seconds before which it is not started."""
    auto_resumes: int = 0
    """How often it has been resumed by itself since somebody last started it."""
    after: str = ""
    """Id of a run that has to finish first: this one needs what that one makes."""

    def is_due(self, now: float) -> bool:
        return not self.held and self.not_before <= now


def last_place(places: list[QueuePlace], attempts: int) -> QueuePlace:
    """Behind all others."""
    order = max((place.order for place in places), default=0.0) + 1.0
    return QueuePlace(order, attempts, time.time())


def first_place(places: list[QueuePlace], attempts: int) -> QueuePlace:
    """Before all others."""
    order = min((place.order for place in places), default=0.0) - 1.0
    return QueuePlace(order, attempts, time.time())
