"""Partial repaints that send a dirty region and nothing to the left of it.

Textual 8.2.8 crops an update on the right of its region only: a changed cell costs
everything from the widget's left edge up to it. The class that writes updates is
replaced by one that crops on both sides; the project pins Textual to that version.
"""

from __future__ import annotations

from functools import cache

import textual
from rich.console import Console
from rich.control import Control
from textual import _compositor

KNOWN = "8.2.8"
"""The version whose update class this one stands in for."""


class CroppedUpdate(_compositor.ChopsUpdate):
    """Writes each span of changed cells from its first cell to its last."""

    def render_segments(self, console: Console) -> str:
        """The escape sequences and text of all spans."""
        written: list[str] = []
        for y, start, stop in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= stop or end <= start:
                    continue
                left, right = max(x, start), min(end, stop)
                if left > x or right < end:
                    strip = strip.crop(left - x, right - x)
                written.append(Control.move_to(left, y).segment.text)
                written.append(strip.render(console))
        return "".join(written)


@cache
def crop_updates() -> None:
    """Make Textual write partial updates through ``CroppedUpdate``; no effect on another version.

    Once is enough, and asking for the version searches the installed packages every time.
    """
    if textual.__version__ == KNOWN:
        _compositor.ChopsUpdate = CroppedUpdate  # type: ignore[misc]
