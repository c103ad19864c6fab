"""A chart drawn again and again: only the columns whose points have changed go through plotext.

A whole chart of 100 by 23 cells takes plotext 3 ms, and a live run moves a few columns of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.tui.widgets.chart_axis import Axis
from rlft_tui.tui.widgets.chart_plot import BELOW, LEFT, Glyph, plot, plot_columns
from rlft_tui.tui.widgets.chart_points import Trace, column_of

Run = list[tuple[float, float]]


class Redraw:
    """Remembers what was drawn last."""

    def __init__(self) -> None:
        self._frame: object = None
        self._runs: list[list[Run]] = []
        self._glyphs: list[list[Glyph]] = []

    def plot(self, traces: list[Trace], x: Axis, y: Axis, width: int, height: int) -> list[list[Glyph]]:
        """What ``chart_plot.plot`` returns for the same; a row that is as before is the same object."""
        frame = (x, y, width, height, len(traces))
        runs = [one.runs for one in traces]
        if frame != self._frame:
            self._glyphs = plot(traces, x, y, width, height)
        elif (span := _changed(self._runs, runs)) is not None:
            self._replace(traces, y, span, width - LEFT, height - BELOW)
        self._frame, self._runs = frame, runs
        return self._glyphs

    def _replace(
        self, traces: list[Trace], y: Axis, span: tuple[float, float], columns: int, rows: int
    ) -> None:
        # One column more at either end: plotext may round a position to the next cell.
        first = max(0, column_of(span[0], columns) - 1)
        last = min(columns - 1, column_of(span[1], columns) + 1)
        part = plot_columns(traces, y, first, last, columns, rows)
        begin, end = LEFT + first, LEFT + last + 1
        self._glyphs = [
            row
            if number >= rows or row[begin:end] == part[number]
            else row[:begin] + part[number] + row[end:]
            for number, row in enumerate(self._glyphs)
        ]


def _changed(before: list[list[Run]], after: list[list[Run]]) -> tuple[float, float] | None:
    """First and last position, 0..1, between which lines differ; None where all are alike."""
    span: tuple[float, float] | None = None
    for old, new in zip(before, after, strict=True):
        if old == new:
            continue
        number = _alike(old, new)
        rest = [runs[number] for runs in (old, new) if number < len(runs)]
        # The line to the first point that differs is another one: it begins at the point before.
        at = max(0, _alike(*rest) - 1) if len(rest) == 2 else 0
        begin = min(run[at][0] for run in rest)
        end = max(runs[-1][-1][0] for runs in (old, new) if runs)
        span = (begin, end) if span is None else (min(begin, span[0]), max(end, span[1]))
    return span


def _alike(old: Sequence[object], new: Sequence[object]) -> int:
    """How many items both begin with."""
    for number, (before, after) in enumerate(zip(old, new, strict=False)):
        if before != after:
            return number
    return min(len(old), len(new))
