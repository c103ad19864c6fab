"""Live curves of a run, drawn by plotext and repainted cell by cell.

The x axis spans the whole run from the start and the y axis moves rarely, so a new
point changes a handful of cells. Means are lines, minimum to maximum is a faint band,
NaN and infinite values are marked on the bottom row and counted in the readout.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.message import Message

from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.cells import cell_width, char_width, fit
from rlft_tui.tui.widgets.chart_axis import Axis, short_number, step_axis, value_axis, window_axis
from rlft_tui.tui.widgets.chart_plot import BELOW, LEFT, Glyph, plot
from rlft_tui.tui.widgets.chart_points import Trace, column_of, reading, trace, value_range
from rlft_tui.tui.widgets.harmless import harmless_line
from rlft_tui.tui.widgets.palette import FAINT, Palette
from rlft_tui.tui.widgets.span_canvas import Row, SpanCanvas
from rlft_tui.tui.widgets.terminal_pace import pace_of
from rlft_tui.tui.widgets.widget_palette import palette_of

DARK_LINES = ("#56b4e9", "#e69f00", "#2ac79a", "#cc79a7", "#f0e442", "#ff8a5c")
"""Okabe and Ito's colour-blind safe colours, brightened for dark grounds."""

LIGHT_LINES = ("#0072b2", "#b35c00", "#007a5a", "#a0447e", "#6f6600", "#c0390b")
ANSI_LINES = ("bright_blue", "yellow", "green", "magenta", "cyan", "red")

_MARKS = "●▲■◆▼★"
"""Legend marks: lines can be told apart without colour."""

Piece = tuple[str, Style]


class Chart(SpanCanvas, can_focus=True):
    """Curves of one metric: one line a series."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; min-height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "cursor(-1)", "Cursor left", show=False, id="chart.left"),
        Binding("right,l", "cursor(1)", "Cursor right", show=False, id="chart.right"),
        Binding("shift+left", "cursor(-10)", "Cursor far left", show=False, id="chart.far_left"),
        Binding("shift+right", "cursor(10)", "Cursor far right", show=False, id="chart.far_right"),
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom in", show=False, id="chart.zoom_in"),
        Binding("minus", "zoom(2)", "Zoom out", show=False, id="chart.zoom_out"),
        Binding("backspace", "whole", "Whole run", show=False, id="chart.whole"),
    ]

    class CursorMoved(Message):
        """The value cursor stands at another step; None when it was taken away."""

        def __init__(self, chart: Chart, step: int | None) -> None:
            super().__init__()
            self.chart = chart
            self.step = step

        @property
        def control(self) -> Chart:
            """The chart, for ``@on(Chart.CursorMoved, "#name")``."""
            return self.chart

    def __init__(
        self, title: str = "", *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._title = title
        self._series: tuple[Series, ...] = ()
        self._names: tuple[str, ...] = ()
        self._total = 0
        self._values: Axis | None = None
        self._window: tuple[float, float] | None = None
        self._cursor: float | None = None
        """Step under the value cursor."""
        self._painted = 0

    # What the screens call

    @property
    def cells_painted(self) -> int:
        """Cells that the last frame repainted."""
        return self._painted

    @property
    def cursor_step(self) -> int | None:
        """The step of the value cursor, or None."""
        return None if self._cursor is None else round(self._cursor)

    def show(
        self,
        series: Sequence[Series],
        *,
        steps: int = 0,
        names: Sequence[str] = (),
        title: str | None = None,
        live: bool = False,
    ) -> None:
        """Draw the series; ``steps`` is the run's total, 0 while unknown.

        ``names`` tell several lines apart. A ``live`` frame may wait until the terminal has
        read the one before; only the newest one is then drawn.
        """
        keys = [one.key for one in self._series]
        if keys != [one.key for one in series] or len(self._names) != len(names):
            self._values = None
        self._series, self._names, self._total = tuple(series), tuple(names), steps
        if title is not None:
            self._title = title
        if live and self.is_attached:
            pace_of(self.app).when_ready(self, self._redraw_live)
        else:
            self.redraw()

    def redraw(self) -> None:
        """Build the frame and repaint the cells that changed."""
        if self.size.width and self.size.height and self.is_attached:
            self._painted = self.draw(self._built())

    def set_cursor(self, step: float | None) -> None:
        """Put the value cursor on a step, or take it away."""
        if step == self._cursor:
            return
        self._cursor = step
        self.redraw()
        self.post_message(self.CursorMoved(self, self.cursor_step))

    def action_cursor(self, columns: int) -> None:
        """Move the value cursor by columns; it starts at the last step."""
        axis = self._steps()
        per_column = (axis.high - axis.low) / max(1, self._columns - 1)
        last = max((one.steps[-1] for one in self._series if one.steps), default=0)
        start = float(last) if self._cursor is None else self._cursor + columns * max(per_column, 1.0)
        start = min(max(0.0, start), float(max(last, self._total)))
        if self._window is not None and not axis.low <= start <= axis.high:
            self._pan(start)
        self.set_cursor(start)

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more steps around the cursor."""
        axis, whole = self._steps(), self._whole()
        width = (axis.high - axis.low) * factor
        if width >= whole.high:
            self._window = None
        elif width >= 4:
            middle = self._cursor if self._cursor is not None else (axis.low + axis.high) / 2
            low = min(max(0.0, middle - width / 2), whole.high - width)
            self._window = (low, low + width)
        self._values = None
        self.redraw()

    def action_whole(self) -> None:
        """Back to the whole run, without a cursor."""
        self._window = None
        self._values = None
        self.set_cursor(None)
        self.redraw()

    # Events

    def on_resize(self, _: events.Resize) -> None:
        """Draw at the new size."""
        self.redraw()

    def on_unmount(self) -> None:
        """A frame that still waits for the terminal is dropped."""
        pace_of(self.app).forget(self)

    def on_click(self, event: events.Click) -> None:
        """The value cursor goes where the mouse points."""
        column = event.x - LEFT
        if 0 <= column < self._columns and event.y >= 1:
            axis = self._steps()
            self.set_cursor(axis.low + column / max(1, self._columns - 1) * (axis.high - axis.low))

    def notify_style_update(self) -> None:
        """The theme may have changed."""
        super().notify_style_update()
        if self.is_mounted and self._frame:
            self.redraw()

    # How it is drawn

    @property
    def _columns(self) -> int:
        return max(1, self.size.width - LEFT)

    def _redraw_live(self) -> None:
        self.redraw()
        if self._painted:
            pace_of(self.app).frame_sent()

    def _whole(self) -> Axis:
        last = max((one.steps[-1] for one in self._series if one.steps), default=0)
        return step_axis(int(last), self._total, max(2, self._columns // 12))

    def _steps(self) -> Axis:
        if self._window is None:
            return self._whole()
        return window_axis(*self._window, max(2, self._columns // 12))

    def _pan(self, step: float) -> None:
        if self._window is None:
            return
        low, high = self._window
        shift = step - (high if step > high else low)
        self._window = (low + shift, high + shift)

    def _built(self) -> list[Row]:
        colours = palette_of(self)
        width, height = self.size
        rows = [_row(self._heading(colours), width, colours)]
        if height < 2:
            return rows
        body = height - 1
        if body < BELOW + 2 or width < LEFT + 6:
            return rows + [_row([], width, colours) for _ in range(body)]
        x = self._steps()
        span = value_range(self._series, x)
        if span is None:
            self._values = None
            y = Axis(0, 1, (0.0, 1.0))
        else:
            y = self._values = value_axis(*span, self._values, max(2, (body - BELOW) // 3))
        traces = [trace(one, x, self._columns) for one in self._series[: len(_MARKS)]]
        glyphs = plot(traces, x, y, width, body)
        return rows + self._coloured(glyphs, traces, x, y, colours)

    def _coloured(
        self, glyphs: list[list[Glyph]], traces: list[Trace], x: Axis, y: Axis, colours: Palette
    ) -> list[Row]:
        lines = [line_style(colours, number) for number in range(len(traces))]
        text, faint = colours.style(), colours.style("faint")
        canvas = len(glyphs) - BELOW
        frame: list[Row] = []
        for number, row in enumerate(glyphs):
            inside = number < canvas
            frame.append(
                [
                    (glyph.character, lines[glyph.line] if 0 <= glyph.line < len(lines) else faint)
                    if glyph.character != " "
                    else (" ", text)
                    for glyph in row
                ]
                if inside
                else [(glyph.character, faint if glyph.character != " " else text) for glyph in row]
            )
        for number, one in enumerate(traces):
            _band(frame, canvas, one, y, _shade(colours, number), text)
        for one, style in zip(traces, lines, strict=True):
            for column in one.bad:
                frame[canvas - 1][LEFT + column] = ("✗", style + Style(bold=True))
        if self._cursor is not None and 0 <= (share := x.share(self._cursor)) <= 1:
            column = LEFT + column_of(share, self._columns)
            for cells in frame[:canvas]:
                if cells[column][0] in " ░":
                    cells[column] = ("│", text)
        return frame

    def _heading(self, colours: Palette) -> list[Piece]:
        text, bold, faint = colours.style(), colours.style("header"), colours.style(marks=FAINT)
        first = self._series[0] if self._series else None
        title = self._title or (first.key if first else "")
        unit = first.unit if first else ""
        title = harmless_line(title)
        if cell_width(title) > (most := max(12, self.size.width // 2)):
            title = fit(title, most)
        pieces: list[Piece] = [(title, bold)]
        if unit:
            pieces.append((f" {harmless_line(unit)}", faint))
        if self._cursor is not None:
            pieces.append((f"  at step {round(self._cursor)}", text))
        for number, one in enumerate(self._series[: len(_MARKS)]):
            style = line_style(colours, number)
            name = f" {harmless_line(self._names[number])}" if number < len(self._names) else ""
            pieces.append((f"  {_MARKS[number]}{name} ", style))
            pieces.extend(self._value(one, text, faint, style))
        if first is None or not any(one.steps for one in self._series):
            pieces.append(("  no values yet", faint))
        return pieces

    def _value(self, one: Series, text: Style, faint: Style, style: Style) -> list[Piece]:
        at = self._cursor if self._cursor is not None else (one.steps[-1] if one.steps else 0)
        found = reading(one, at)
        if found is None:
            return [("–", faint)]
        shown = short_number(found.mean) if found.mean is not None else "not finite"
        pieces: list[Piece] = [(shown, text if found.mean is not None else style + Style(bold=True))]
        if self._cursor is not None and found.low is not None and found.low != found.high:
            pieces.append((f" ({short_number(found.low)} to {short_number(found.high)})", faint))
        bad = found.nonfinite if self._cursor is not None else sum(one.nonfinite)
        if bad:
            pieces.append((f" ✗{bad} NaN/∞", style + Style(bold=True)))
        return pieces


@lru_cache(maxsize=64)
def line_style(colours: Palette, number: int) -> Style:
    """The style of a chart's line: also for lists that name the lines."""
    names = ANSI_LINES if colours.ansi else DARK_LINES if colours.dark else LIGHT_LINES
    return Style(color=names[number % len(names)], bgcolor=colours.background)


@lru_cache(maxsize=64)
def _shade(colours: Palette, number: int) -> Style:
    """A line's colour half faded into the background."""
    if colours.ansi:
        return Style(color="bright_black", bgcolor="default")
    names = DARK_LINES if colours.dark else LIGHT_LINES
    blended = Color.parse(colours.background).blend(Color.parse(names[number % len(names)]), 0.45)
    return Style(color=blended.rich_color, bgcolor=colours.background)


def _band(frame: list[Row], canvas: int, one: Trace, y: Axis, shade: Style, blank: Style) -> None:
    """Shade the blank cells between the lowest and the highest value of each column."""
    for column, (low, high) in one.band.items():
        if low == high:
            continue
        top = canvas - 1 - column_of(min(1.0, max(0.0, y.share(high))), canvas)
        bottom = canvas - 1 - column_of(min(1.0, max(0.0, y.share(low))), canvas)
        for row in range(max(0, top), min(canvas - 1, bottom) + 1):
            if frame[row][LEFT + column][0] == " ":
                frame[row][LEFT + column] = ("░", shade)


def _row(pieces: list[Piece], width: int, colours: Palette) -> Row:
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
