"""Repaints that send the cells that changed, and nothing to the left of them.

Textual 8.2.8 never compares frames: it sends a dirty region from its widget's left edge on, and
every cell of the screen after a change of layout. The classes that write updates are replaced
by some that leave out what the terminal shows already; the project pins Textual to that version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import textual
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from textual import _compositor
from textual.geometry import Region
from textual.strip import Strip

from rlft_tui.tui.widgets.cells import cell_width, is_doubtful
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


def renders_within(
    compositor: _compositor.Compositor, crop: Region | None = None
) -> Iterator[tuple[Region, Region, list[Strip]]]:
    """Widgets from front to back, drawn in the rows of ``crop``: (region, visible region, lines).

    Textual draws every line of every widget in a container that the crop touches, for a single cell too,
    and what stands behind them.
    """
    rows = compositor.size.region if crop is None else crop
    for widget, (region, clip) in compositor.visible_widgets.items():
        seen = region.intersection(clip)
        if not rows.overlaps(seen):
            continue
        drawn = seen.intersection(Region(seen.x, rows.y, seen.width, rows.height))
        yield region, drawn, widget.render_lines(drawn.translate(-region.offset))
        if drawn.contains_region(rows):
            return


def _written(x: int, y: int, segments: Iterable[Segment], console: Console) -> str:
    colours = console._color_system or ColorSystem.TRUECOLOR
    written = [_move_to(x, y)]
    for text, style, _ in segments:
        drawn = text if style is None else Strip.render_style(style, text, colours)
        cells = cell_width(text)
        if is_doubtful(text):
            # However many cells a terminal gives it, nothing old shows and what follows stands right.
            blank = " " * cells if style is None else Strip.render_style(style, " " * cells, colours)
            written += [blank, _move_to(x, y), drawn, _move_to(x + cells, y)]
        else:
            written.append(drawn)
        x += cells
    return "".join(written)


def _move_to(x: int, y: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"


@cache
def crop_updates() -> None:
    """Make Textual write updates through these classes; no effect on another version."""
    if _is_known():
        _compositor.ChopsUpdate = CroppedUpdate  # type: ignore[misc]
        _compositor.LayoutUpdate = WholeUpdate  # type: ignore[misc]
        _compositor.Compositor._get_renders = renders_within  # type: ignore[assignment,method-assign]


def _is_known() -> bool:
    # Where packages lie beside their descriptions one look is enough: asking for the version searches
    # all installed packages, which is a twentieth of a start.
    beside = Path(textual.__file__).parents[1] / f"textual-{KNOWN}.dist-info"
    return beside.is_dir() or textual.__version__ == KNOWN
