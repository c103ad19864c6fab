"""A chart's first row: title, unit, what is hidden, and the value of each line at the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style

from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.cells import cell_width, char_width, fit
from rlft_tui.tui.widgets.changed_spans import Row
from rlft_tui.tui.widgets.chart_axis import short_number
from rlft_tui.tui.widgets.chart_colours import MOST_LINES, line_mark, line_style
from rlft_tui.tui.widgets.chart_points import Reading
from rlft_tui.tui.widgets.harmless import harmless_line
from rlft_tui.tui.widgets.palette import FAINT, Palette

Piece = tuple[str, Style]


def heading(
    title: str,
    series: Sequence[Series],
    readings: Sequence[Reading | None],
    *,
    names: Sequence[str],
    place: str,
    hidden: int,
    notes: str,
    width: int,
    colours: Palette,
) -> list[Piece]:
    """``readings``: one a line, at the cursor or at the end; ``place``: where the cursor is, if anywhere."""
    text, bold, faint = colours.style(), colours.style("header"), colours.style(marks=FAINT)
    title = harmless_line(title)
    if cell_width(title) > (most := max(12, width // 2)):
        title = fit(title, most)
    pieces: list[Piece] = [(title, bold)]
    unit = series[0].unit if series else ""
    if unit and harmless_line(unit) != title:
        pieces.append((f" {harmless_line(unit)}", faint))
    if notes:
        pieces.append((f" {notes}", faint))
    if hidden:
        pieces.append((f" {hidden:,} ≤0 hidden", faint))
    if place:
        pieces.append((f"  at {place}", text))
    if not any(one.steps for one in series):
        return [*pieces, ("  no values yet", faint)]
    used = sum(cell_width(part) for part, _ in pieces)
    for number, one in enumerate(series[:MOST_LINES]):
        style = line_style(colours, number)
        name = f" {harmless_line(names[number])}" if number < len(names) else ""
        found = readings[number]
        value = _value(one, found, bool(place), text, faint, style)
        entry = [(f"  {line_mark(number)}{name} ", style), *value]
        size = sum(cell_width(part) for part, _ in entry)
        left = len(series) - number
        if number and used + size > width - (len(f"  +{left}") if left > 1 else 0):
            return [*pieces, (f"  +{left}", faint)]
        pieces.extend(entry)
        used += size
    return pieces


def _value(
    one: Series, found: Reading | None, at_cursor: bool, text: Style, faint: Style, style: Style
) -> list[Piece]:
    if found is None:
        return [("–", faint)]
    loud = style + Style(bold=True)
    if found.mean is None:
        pieces: list[Piece] = [("not finite", loud)]
    else:
        pieces = [(short_number(found.smooth), text)]
        if at_cursor and found.smooth != found.mean:
            pieces.append((f" of {short_number(found.mean)}", faint))
    if at_cursor and found.low is not None and found.low != found.high:
        pieces.append((f" ({short_number(found.low)} to {short_number(found.high)})", faint))
    bad = found.nonfinite if at_cursor else sum(one.nonfinite)
    if bad:
        pieces.append((f" ✗{bad} NaN/∞", loud))
    return pieces


def as_row(pieces: list[Piece], width: int, colours: Palette) -> Row:
    """Pieces as exactly ``width`` cells, cut with … where they are too many."""
    row: Row = []
    for text, style in pieces:
        left = width - len(row)
        if left <= 0:
            break
        if sum(map(char_width, text)) > left:
            text = fit(text, left)
        for character in text:
            cells = char_width(character)
            if cells:
                row.append((character, style))
                row.extend([("", style)] * (cells - 1))
            elif row:
                row[-1] = (row[-1][0] + character, row[-1][1])
    blank = colours.style()
    return row[:width] + [(" ", blank)] * (width - len(row))
