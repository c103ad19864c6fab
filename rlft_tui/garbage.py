"""The garbage collector told what these programs need: a quick start, and no long pauses.

By default the collector looks at every 700 new objects, which takes a twentieth of the time in
which 700 modules load, and they leave nothing to collect. Later a full collection walks every object
there is, 70 to 390 ms with a few rendered answers in memory, in the middle of a key press.
"""

from __future__ import annotations

import gc

YOUNG = 200_000
"""Objects more made than freed before a young collection."""

OLDER = 100
"""Young collections before one of the next generation."""


def collect_rarely(young: int = YOUNG, older: int = OLDER) -> None:
    """Call first of all in a process, before it loads anything."""
    gc.set_threshold(young, older, older)


def freeze_what_stays() -> None:
    """Call once when the start is over: what it made stays anyway and is taken out of all walks."""
    gc.collect()
    gc.freeze()
