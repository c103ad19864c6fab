"""The one place that talks to plotext: lines and axes in, characters and line numbers out.

plotext 6 has a single global figure, so charts are built one after another under a
lock. It gets positions and values between 0 and 1 only: it aborts the process on NaN
and never sees the numbers that a run produced.
"""

from __future__ import annotations

import re
import sys
import threading
from bisect import bisect_left
from functools import lru_cache
from math import inf
from types import ModuleType
from typing import Any

from rlft_tui.record import Record
from rlft_tui.tui.widgets.chart_axis import LABEL, Axis, LogAxis, step_label, tick_label
from rlft_tui.tui.widgets.chart_points import Trace, column_of

_LOCK = threading.Lock()
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")

ALONE = "●"
"""Mark of a point that no line joins to another."""

LEFT = LABEL + 1
"""Cells left of the canvas: tick label and axis line."""

BELOW = 2
"""Rows below the canvas: axis line and tick labels."""

_INSIDE = 0.0031747182
"""What plotext keeps free of its outer cells: position ``s`` of ``n`` columns falls into the cell
``0.5016585662 + s * (n - 1 - _INSIDE)``."""


class Glyph(Record, frozen=True):
    """One character of a plot; ``line`` is the number of the trace it belongs to, or -1."""

    character: str
    line: int


def plot(traces: list[Trace], x: Axis, y: Axis, width: int, height: int) -> list[list[Glyph]]:
    """Rows of glyphs, ``height`` of ``width`` each; the canvas is ``width - LEFT`` by ``height - BELOW``."""
    plotext = _plotext()
    with _LOCK:
        figure = _cleared(plotext, width, height)
        figure.axes(False, axis="x", side="upper")
        figure.axes(False, axis="y", side="right")
        _ticks(figure, x, y, height - BELOW)
        for number, line in reversed(list(enumerate(traces))):  # the first one lies on top
            for run in line.runs:
                _draw(plotext, figure, run, y, number, alone=len(run) == 1)
        return _built(figure, width, height)


def plot_columns(
    traces: list[Trace], y: Axis, first: int, last: int, columns: int, rows: int
) -> list[list[Glyph]]:
    """Columns ``first`` to ``last`` of the canvas that ``plot`` draws, ``columns`` by ``rows`` in all."""
    span = columns - 1 - _INSIDE
    low, high = (first - 1) / span, (last + 2) / span
    parts: list[tuple[int, list[tuple[float, float]], bool]] = []
    for number, line in reversed(list(enumerate(traces))):
        for run in line.runs:
            # One point more at either end: the line between may cross.
            begin = max(0, bisect_left(run, (low, -inf)) - 1)
            if part := run[begin : bisect_left(run, (high, -inf)) + 1]:
                parts.append((number, part, len(run) == 1))
    # plotext steps along a line from its first point: cut elsewhere it would hit other dots.
    start = max(0, min([first, *(column_of(part[0][0], columns) - 1 for _, part, _ in parts)]))
    width = last - start + 1
    plotext = _plotext()
    with _LOCK:
        figure = _cleared(plotext, width, rows)
        figure.axes(False)
        figure.ruler("x").lim(start / span, (start + width - 1 - _INSIDE) / span).frequency(0)
        figure.ruler("y").lim(0, 1).frequency(0)
        for number, part, alone in parts:
            _draw(plotext, figure, part, y, number, alone=alone)
        return [row[first - start :] for row in _built(figure, width, rows)]


def warm() -> None:
    """Load plotext (about 0.05 s) before the first chart needs it; in any thread."""
    _plotext()


def _plotext() -> Any:
    """plotext, without the texts of its interactive manual.

    Version 6.1 puts those together whenever it is imported, which takes longer than all the rest of it.
    Where the manual is kept elsewhere, it is loaded as usual.
    """
    manual = "plotext._doc.doc"
    with _LOCK:
        if "plotext" not in sys.modules:
            stand_in = ModuleType(manual)
            stand_in.docs = None  # type: ignore[attr-defined]
            sys.modules[manual] = stand_in
        import plotext
    return plotext


def _cleared(plotext: Any, width: int, height: int) -> Any:
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear.data()
    figure.clear.settings()
    figure.theme("colorless")
    figure.plot_size(width, height)
    return figure


def _built(figure: Any, width: int, height: int) -> list[list[Glyph]]:
    text = figure.build().string()
    figure.clear.data()
    return _glyphs(text, width, height)


def _ticks(figure: Any, x: Axis, y: Axis, rows: int) -> None:
    figure.ruler("x").lim(0, 1)
    figure.ruler("y").lim(0, 1)
    figure.ruler("x").ticks(
        [_unit(x.share(mark)) for mark in x.ticks], labels=list(x.labels or map(step_label, x.ticks))
    )
    marks = y.ticks
    while len(marks) > max(2, rows):
        marks = (*marks[:-1][::2], marks[-1])
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else 0.0
    logarithmic = isinstance(y, LogAxis)
    labels = [(f"{mark:g}" if logarithmic else tick_label(mark, step))[:LABEL].rjust(LABEL) for mark in marks]
    figure.ruler("y").ticks([_unit(y.share(mark)) for mark in marks], labels=labels)


def _draw(
    plotext: Any, figure: Any, run: list[tuple[float, float]], y: Axis, number: int, *, alone: bool
) -> None:
    # A point alone is one dot of a Braille cell, which nobody sees.
    shape = ALONE if alone else "braille"
    marker = plotext.marker(shape, pixel=plotext.pixel(foreground=number + 1))
    signal = figure.signal(
        [_unit(at) for at, _ in run], [_unit(y.share(value)) for _, value in run], marker=marker
    )
    if not alone:
        signal.lines(True)
    figure.draw(signal)


def _unit(share: float) -> float:
    """Within 0..1, whatever came in."""
    return share if 0.0 <= share <= 1.0 else 1.0 if share > 1.0 else 0.0


@lru_cache(maxsize=4096)
def _glyph(character: str, line: int) -> Glyph:
    """The one glyph of its kind: a frame has thousands of cells and few different ones."""
    return Glyph(character, line)


def _glyphs(text: str, width: int, height: int) -> list[list[Glyph]]:
    rows: list[list[Glyph]] = []
    blank = _glyph(" ", -1)
    for raw in text.split("\n")[:height]:
        row: list[Glyph] = []
        line = -1
        for place, part in enumerate(_COLOUR.split(raw)):
            if place % 2:
                line = int(part[5:]) - 1 if part.startswith("38;5;") and part[5:].isdigit() else -1
            else:
                row.extend([_glyph(character, line) for character in part])
        row = row[:width]
        rows.append(row + [blank] * (width - len(row)))
    rows.extend([[blank] * width for _ in range(height - len(rows))])
    return rows
