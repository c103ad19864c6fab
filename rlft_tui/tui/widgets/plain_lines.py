"""Lines of widgets that draw each of them whole, without what Textual puts around a line."""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget


def plain_lines(widget: Widget, crop: Region) -> list[Strip] | None:
    """The widget's lines within ``crop``, with blanks for padding at the sides; None for a widget that has a
    border, padding above or below, or is dimmed, which Textual has to draw.

    Textual looks at borders, outlines, hatches and tints anew for each line, which takes as long as
    a row of a table.
    """
    styles = widget.styles
    top, right, bottom, left = styles.gutter
    if top or bottom or styles.gutter != styles.padding or widget.opacity != 1.0:
        return None
    base, background = widget.background_colors
    inner = Style(background=base + background).rich_style
    width, height = widget.content_region.size
    before, after = ([Segment(" " * cells, inner)] if cells else [] for cells in (left, right))
    strips = []
    for y in crop.line_range:
        line = widget.render_line(y) if y < height else Strip.blank(width, inner)
        if line.cell_length != width:
            line = line.adjust_cell_length(width, inner)
        strips.append(Strip([*before, *line, *after], left + width + right) if left or right else line)
    for changed in widget.get_line_filters():
        strips = [strip.apply_filter(changed, background) for strip in strips]
    begin, end = crop.column_span
    return (
        strips if (begin, end) == (0, left + width + right) else [strip.crop(begin, end) for strip in strips]
    )
