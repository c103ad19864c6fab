"""A widget of cells that remembers its last frame and repaints only what changed.

Textual never compares frames: it sends every cell of a dirty region. A chart that
gains one point changes a handful of cells, so the difference is worth computing.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from rlft_tui.tui.widgets.changed_spans import Cell
from rlft_tui.tui.widgets.partial_updates import crop_updates
from rlft_tui.tui.widgets.widget_palette import palette_of

Row = list[Cell]
"""One entry a cell: (character, style); the second cell of a wide character holds ''."""

NEAR = 10
"""Unchanged cells between two changed ones that are cheaper to send than to skip."""


def changed_cells(old: Row, new: Row) -> list[tuple[int, int]]:
    """Spans (start, end) of cells that differ, those less than ``NEAR`` apart joined."""
    spans: list[tuple[int, int]] = []
    if old is new:
        return spans
    if len(old) != len(new):
        return [(0, len(new))]
    for index, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        if spans and index - spans[-1][1] < NEAR:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return [_whole(old, new, start, end) for start, end in spans]


def _whole(old: Row, new: Row, start: int, end: int) -> tuple[int, int]:
    """The span grown so that it cuts no wide character in two."""
    while start and (not new[start][0] or not old[start][0]):
        start -= 1
    while end < len(new) and (not new[end][0] or not old[end][0]):
        end += 1
    return start, end


class SpanCanvas(Widget):
    """Draws ``frame``; a subclass builds a new one and hands it to ``draw``."""

    ALLOW_SELECT = False

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._frame: list[Row] = []
        crop_updates()

    def draw(self, frame: list[Row]) -> int:
        """Show a frame of the widget's size; the number of cells that are repainted."""
        width, height = self.size
        old, self._frame = self._frame, frame
        if len(old) != len(frame) or (old and frame and len(old[0]) != len(frame[0])):
            self.refresh()
            return width * height
        regions = [
            Region(start, y, end - start, 1)
            for y, (before, after) in enumerate(zip(old, frame, strict=True))
            for start, end in changed_cells(before, after)
        ]
        if regions:
            self.refresh(*regions)
        return sum(region.width for region in regions)

    def render_line(self, y: int) -> Strip:
        """Row ``y`` of the frame."""
        width = self.size.width
        blank = palette_of(self).style()
        if y >= len(self._frame):
            return Strip.blank(width, blank)
        segments: list[Segment] = []
        text, style = "", blank
        for character, cell_style in self._frame[y]:
            if cell_style is style or cell_style == style:
                text += character
            else:
                if text:
                    segments.append(Segment(text, style))
                text, style = character, cell_style
        if text:
            segments.append(Segment(text, style))
        strip = Strip(segments, len(self._frame[y]))
        return strip if strip.cell_length == width else strip.adjust_cell_length(width, blank)
