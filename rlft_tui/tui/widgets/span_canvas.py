"""A widget of cells that remembers its last frame and repaints only what changed.

Textual never compares frames: it sends every cell of a dirty region. A chart that
gains one point changes a handful of cells, so the difference is worth computing.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from rlft_tui.tui.widgets.changed_spans import Row, changed_cells
from rlft_tui.tui.widgets.partial_updates import crop_updates
from rlft_tui.tui.widgets.widget_palette import palette_of


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
