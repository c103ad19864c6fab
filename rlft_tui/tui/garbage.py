"""The garbage collector told what an interactive program needs: no long pauses.

A full collection walks every object there is and takes 70 to 390 ms with a few
rendered answers in memory, in the middle of a key press. What start-up made stays
anyway, so it is taken out of the walk, and the walks become rare.
"""

from __future__ import annotations

import gc

YOUNG = 200_000
"""Objects more made than freed before a young collection."""

OLDER = 100
"""Young collections before one of the next generation."""


def tune_collector() -> None:
    """Call once when the first screen is painted: freezes what lives now, then collects rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)
