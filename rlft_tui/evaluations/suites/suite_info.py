"""A suite as people are shown it: quick to import, unlike the tasks behind it."""

from __future__ import annotations

from rlft_tui.record import Record


class SuiteInfo(Record, frozen=True):
    """A suite as people are shown it."""

    name: str
    title: str
    path: str
    built_in: bool
    tasks: tuple[tuple[str, str], ...] = ()
    """Name and kind of each task."""
    trouble: str = ""
    """Why it cannot be run, in a line."""
