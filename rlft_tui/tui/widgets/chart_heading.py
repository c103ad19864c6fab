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
    room = width - _cells(pieces)

    def entry(number: int, *, brief: bool) -> list[Piece]:
        style = line_style(colours, number)
        name = f" {harmless_line(names[number])}" if number < len(names) else ""
        value = _value(series[number], readings[number], bool(place), text, faint, style, brief=brief)
        return [(f"  {line_mark(number)}{name} ", style), *value]

    lines = range(min(len(series), MOST_LINES))
    # Where not all have room, the value of each says more than the range of the first.
    brief = sum(_cells(entry(number, brief=False)) for number in lines) > room
    for number in lines:
        said, left = entry(number, brief=brief), len(series) - number
        room -= _cells(said)
        if number and room < (len(f"  +{left}") if left > 1 else 0):
            return [*pieces, (f"  +{left}", faint)]
        pieces.extend(said)
    return pieces


def _cells(pieces: Sequence[Piece]) -> int:
    return sum(cell_width(part) for part, _ in pieces)


def _value(
    one: Series,
    found: Reading | None,
    at_cursor: bool,
    text: Style,
    faint: Style,
    style: Style,
    *,
    brief: bool,
) -> list[Piece]:
    if found is None:
        return [("–", faint)]
    loud = style + Style(bold=True)
    if found.mean is None:
        pieces: list[Piece] = [("not finite", loud)]
    else:
        pieces = [(short_number(found.smooth), text)]
        if at_cursor and found.smooth != found.mean and not brief:
            pieces.append((f" of {short_number(found.mean)}", faint))
    if at_cursor and found.low is not None and found.low != found.high and not brief:
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
