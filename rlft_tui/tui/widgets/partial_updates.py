"""Repaints that send the cells that changed, and nothing to the left of them.

Textual 8.2.8 never compares frames: it sends a dirty region from its widget's left edge on, and
every cell of the screen after a change of layout. The classes that write updates are replaced
by some that leave out what the terminal shows already; the project pins Textual to that version.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import textual
from rich.console import Console
from rich.control import Control
from textual import _compositor
from textual.strip import Strip

from rlft_tui.tui.widgets.sent_frame import frame_of

KNOWN = "8.2.8"
"""The version whose update classes these stand in for."""


class CroppedUpdate(_compositor.ChopsUpdate):
    """Writes what is new in each span of dirty cells."""

    def render_segments(self, console: Console) -> str:
        """The escape sequences and text of all spans."""
        frame = frame_of(console)
        return "".join(
            _written(part_x, y, part, console)
            for x, y, strip in self._strips()
            for part_x, part in frame.news(x, y, strip)
        )

    def _strips(self) -> Iterator[tuple[int, int, Strip]]:
        """Column, row and cells of each span, cropped on both sides."""
        for y, start, stop in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= stop or end <= start:
                    continue
                left, right = max(x, start), min(end, stop)
                if left > x or right < end:
                    strip = strip.crop(left - x, right - x)
                yield left, y, strip


class WholeUpdate(_compositor.LayoutUpdate):
    """Writes what is new on the whole screen."""

    def render_segments(self, console: Console) -> str:
        """The escape sequences and text of all changed cells."""
        frame = frame_of(console)
        region = self.region
        frame.fit(region.width, region.height)
        return "".join(
            _written(x, y, part, console)
            for y, line in enumerate(self.strips, region.y)
            for x, part in frame.news(region.x, y, Strip.join(line))
        )


def _written(x: int, y: int, strip: Strip, console: Console) -> str:
    return Control.move_to(x, y).segment.text + strip.render(console)


@cache
def crop_updates() -> None:
    """Make Textual write updates through these classes; no effect on another version.

    Once is enough, and asking for the version searches the installed packages every time.
    """
    if textual.__version__ == KNOWN:
        _compositor.ChopsUpdate = CroppedUpdate  # type: ignore[misc]
        _compositor.LayoutUpdate = WholeUpdate  # type: ignore[misc]
