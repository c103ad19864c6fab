"""Waiting for a widget: until something is so, never for a time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.pilot import Pilot

DEADLINE = 30.0
"""Seconds; far more than anything here needs."""


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Lets the app run until the condition holds."""
    end = monotonic() + DEADLINE
    while not condition():
        assert monotonic() < end, "waited in vain"
        await pilot.pause(0.01)
    await pilot.pause()
