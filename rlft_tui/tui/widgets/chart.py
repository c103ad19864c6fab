"""Live curves of a run, drawn by plotext and repainted cell by cell.

The x axis spans the whole run from the start and the y axis moves rarely, so a new
point changes a handful of cells. Means are lines, minimum to maximum is a faint band,
NaN and infinite values are marked on the bottom row and counted in the heading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.changed_spans import Row
from rlft_tui.tui.widgets.chart_axis import (
    Axis,
    log_axis,
    step_axis,
    step_label,
    time_axis,
    time_label,
    value_axis,
    window_axis,
)
from rlft_tui.tui.widgets.chart_colours import MOST_LINES, band_ground, band_style, line_style, raw_style
from rlft_tui.tui.widgets.chart_heading import as_row, heading
from rlft_tui.tui.widgets.chart_plot import BELOW, LEFT, Glyph
from rlft_tui.tui.widgets.chart_points import Reading, Trace, column_of, reading, trace, value_range
from rlft_tui.tui.widgets.chart_redraw import Redraw
from rlft_tui.tui.widgets.chart_scale import STEPS, ChartLook, Clock
from rlft_tui.tui.widgets.palette import Palette
from rlft_tui.tui.widgets.span_canvas import SpanCanvas
from rlft_tui.tui.widgets.terminal_pace import pace_of
from rlft_tui.tui.widgets.widget_palette import palette_of

MOST_BANDS = 3
"""More lines than these are drawn without their bands, which would hide one another."""


class Chart(SpanCanvas, can_focus=True):
    """Curves of one metric: one line a series."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; min-height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "cursor(-1)", "cursor", key_display="← →", id="chart.left",
                tooltip="Value cursor to the left"),
        Binding("right,l", "cursor(1)", "cursor", show=False, id="chart.right",
                tooltip="Value cursor to the right"),
        Binding("shift+left", "cursor(-10)", "far left", show=False, id="chart.far_left",
                tooltip="Value cursor ten columns to the left"),
        Binding("shift+right", "cursor(10)", "far right", show=False, id="chart.far_right",
                tooltip="Value cursor ten columns to the right"),
        Binding("plus,equals_sign", "zoom(0.5)", "zoom", key_display="+ -", id="chart.zoom_in",
                tooltip="Zoom in around the cursor"),
        Binding("minus", "zoom(2)", "zoom out", show=False, id="chart.zoom_out", tooltip="Zoom out"),
        Binding("ctrl+left,less_than_sign", "pan(-0.25)", "pan left", show=False, id="chart.pan_left",
                tooltip="Move a zoomed chart to earlier steps"),
        Binding("ctrl+right,greater_than_sign", "pan(0.25)", "pan right", show=False, id="chart.pan_right",
                tooltip="Move a zoomed chart to later steps"),
        Binding("backspace", "whole", "whole run", show=False, id="chart.whole",
                tooltip="The whole run again, without a cursor"),
    ]  # fmt: skip

    class CursorMoved(Message):
        """The value cursor stands at another step; None when it was taken away."""

        def __init__(self, chart: Chart, step: int | None, place: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.step = step
            self.place = place
            """Where on the x axis: the step itself, seconds or tokens."""

        @property
        def control(self) -> Chart:
            """The chart, for ``@on(Chart.CursorMoved, "#name")``."""
            return self.chart

    class WindowChanged(Message):
        """Another part of the x axis is shown; None for all of it."""

        def __init__(self, chart: Chart, window: tuple[float, float] | None) -> None:
            super().__init__()
            self.chart = chart
            self.window = window

        @property
        def control(self) -> Chart:
            return self.chart

    def __init__(
        self, title: str = "", *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._title = title
        self._series: tuple[Series, ...] = ()
        self._names: tuple[str, ...] = ()
        self._owners: tuple[str, ...] = ()
        self._holding: tuple[float, ...] = ()
        self._clocks: tuple[Clock, ...] = ()
        self._look = ChartLook()
        self._total = 0.0
        self._last = 0.0
        """Farthest place logged, where the series need not reach it."""
        self._values: Axis | None = None
        self._window: tuple[float, float] | None = None
        self._cursor: float | None = None
        """Place on the x axis under the value cursor."""
        self._drag: tuple[int, int] | None = None
        """Columns where the mouse went down and where it is now."""
        self._painted = 0
        self._plotted = Redraw()

    # What the screens call

    @property
    def cells_painted(self) -> int:
        """Cells that the last frame repainted."""
        return self._painted

    @property
    def cursor_step(self) -> int | None:
        """The step of the value cursor, by the first line's clock, or None."""
        return None if self._cursor is None else round(self._clock(0).step_at(self._cursor))

    @property
    def window(self) -> tuple[float, float] | None:
        """The part of the x axis that is shown; None for all of it."""
        return self._window

    @property
    def look(self) -> ChartLook:
        return self._look

    @property
    def series(self) -> tuple[Series, ...]:
        """What is drawn."""
        return self._series

    def show(
        self,
        series: Sequence[Series],
        *,
        steps: float = 0,
        last: float = 0,
        names: Sequence[str] = (),
        owners: Sequence[str] = (),
        title: str | None = None,
        clocks: Sequence[Clock] = (),
        look: ChartLook | None = None,
        holding: Sequence[float] = (),
        live: bool = False,
    ) -> None:
        """Draw the series. ``steps`` is where the x axis ends, 0 while unknown; ``last`` the farthest place.

        ``names`` tell several lines apart in the heading, ``owners`` where there is a legend elsewhere;
        ``clocks`` say where each one's steps stand, ``holding`` values that its value axis has. A ``live``
        frame may wait until the terminal has read the one before; only the newest one is then drawn.
        """
        keys = [one.key for one in self._series]
        look = look or self._look
        if keys != [one.key for one in series] or len(self._names) != len(names) or look != self._look:
            self._values = None
        if look.x != self._look.x:
            self._window = self._cursor = None
        self._series, self._names, self._clocks = tuple(series[:MOST_LINES]), tuple(names), tuple(clocks)
        self._look, self._total, self._last = look, steps, last
        self._owners = tuple(owners) or self._names
        self._holding = tuple(holding)
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

    def set_cursor(self, place: float | None) -> None:
        """Put the value cursor somewhere on the x axis, or take it away."""
        if place == self._cursor:
            return
        self._cursor = place
        self.redraw()
        self.post_message(self.CursorMoved(self, self.cursor_step, place))

    def set_window(self, window: tuple[float, float] | None) -> None:
        """Show a part of the x axis, or all of it."""
        if window == self._window:
            return
        self._window, self._values = window, None
        self.redraw()
        self.post_message(self.WindowChanged(self, window))

    def value_text(self) -> str:
        """The values at the cursor (or the last ones) in words, one line a run."""
        lines = []
        for number, found in enumerate(self._readings()):
            if found is None:
                continue
            name = f"{self._owners[number]} " if number < len(self._owners) else ""
            unit = f" {self._series[number].unit}" if self._series[number].unit else ""
            value = "not finite" if found.mean is None else repr(found.mean)
            lines.append(f"{name}{self._series[number].key} = {value}{unit} at step {found.step}")
        return "\n".join(lines)

    # Actions

    def action_cursor(self, columns: int) -> None:
        """Move the value cursor by columns; it starts at the last point in view."""
        axis = self._places()
        per_column = (axis.high - axis.low) / max(1, self._columns - 1)
        if self._look.x == "step":
            per_column = max(per_column, 1.0)
        if self._cursor is None:
            at = max(axis.low, min(axis.high, self._last_value()))
        else:
            at = min(max(0.0, self._cursor + columns * per_column), max(self._end(), self._total))
        if self._window is not None and not axis.low <= at <= axis.high:
            self._show_also(at)
        self.set_cursor(at)

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more steps around the cursor."""
        axis = self._places()
        # A run that goes on has values only up to here.
        end = max(axis.low, min(axis.high, self._end()))
        middle = self._cursor if self._cursor is not None else (axis.low + end) / 2
        self._zoom(factor, middle)

    def action_pan(self, share: float) -> None:
        """Move the window by a share of its width."""
        if self._window is not None:
            low, high = self._window
            by = share * (high - low)
            by = min(max(by, -low), self._whole().high - high)
            self.set_window((low + by, high + by))

    def action_whole(self) -> None:
        """Back to the whole run, without a cursor."""
        self.set_window(None)
        self.set_cursor(None)

    # Events

    def on_resize(self, _: events.Resize) -> None:
        """Draw at the new size."""
        self.redraw()

    def on_unmount(self) -> None:
        """A frame that still waits for the terminal is dropped."""
        pace_of(self.app).forget(self)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        column = event.x - LEFT
        if event.button == 1 and 0 <= column < self._columns and event.y >= 1:
            self._drag = (column, column)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Dragging marks the part to zoom into."""
        if self._drag is not None:
            column = min(max(event.x - LEFT, 0), self._columns - 1)
            if column != self._drag[1]:
                self._drag = (self._drag[0], column)
                self.redraw()

    def on_mouse_up(self, _: events.MouseUp) -> None:
        """A click puts the value cursor there; a drag zooms in."""
        if self._drag is None:
            return
        (begin, end), self._drag = self._drag, None
        self.release_mouse()
        low, high = sorted((self._place_of(begin), self._place_of(end)))
        if abs(end - begin) < 2:
            self.set_cursor(low)
        elif high - low >= self._finest:
            self.set_window((low, high))
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scrolled(event, 0.5, -0.25)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scrolled(event, 2.0, 0.25)

    def _scrolled(self, event: events.MouseEvent, factor: float, share: float) -> None:
        event.stop()
        if event.shift or event.ctrl:
            self.action_pan(share)
        else:
            self._zoom(factor, self._place_of(min(max(event.x - LEFT, 0), self._columns - 1)))

    def notify_style_update(self) -> None:
        """The theme may have changed."""
        super().notify_style_update()
        if self.is_mounted and self._frame:
            self.redraw()

    # The x axis

    @property
    def _columns(self) -> int:
        return max(1, self.size.width - LEFT)

    @property
    def _finest(self) -> float:
        """The narrowest window that makes sense."""
        return 4.0 if self._look.x != "time" else 0.5

    def _clock(self, number: int) -> Clock:
        return self._clocks[number] if number < len(self._clocks) else STEPS

    def _end(self) -> float:
        """The farthest place with a value."""
        return max(
            self._last,
            *(self._clock(n).at(one.steps[-1]) for n, one in enumerate(self._series) if one.steps),
            0.0,
        )

    def _last_value(self) -> float:
        """The farthest place at which a line has a value to read; among steps the last that was logged."""
        if self._look.x == "step":
            return self._end()
        there = [self._clock(n).at(one.steps[-1]) for n, one in enumerate(self._series) if one.steps]
        return max(there, default=0.0)

    def _whole(self) -> Axis:
        ticks = max(2, self._columns // 12)
        if self._look.x == "time":
            return time_axis(0.0, max(self._end(), self._total, 1.0), ticks, whole=not self._total)
        return step_axis(int(self._end()), int(self._total), ticks)

    def _places(self) -> Axis:
        if self._window is None:
            return self._whole()
        axis = time_axis if self._look.x == "time" else window_axis
        return axis(*self._window, max(2, self._columns // 12))

    def _place_of(self, column: int) -> float:
        axis = self._places()
        return axis.low + column / max(1, self._columns - 1) * (axis.high - axis.low)

    def _zoom(self, factor: float, around: float) -> None:
        axis, whole = self._places(), self._whole()
        width = (axis.high - axis.low) * factor
        if width >= whole.high:
            self.set_window(None)
        elif width >= self._finest:
            share = (around - axis.low) / (axis.high - axis.low) if factor < 1 else 0.5
            low = min(max(0.0, around - width * min(max(share, 0.0), 1.0)), whole.high - width)
            self.set_window((low, low + width))

    def _show_also(self, place: float) -> None:
        if self._window is not None:
            low, high = self._window
            shift = place - (high if place > high else low)
            self.set_window((low + shift, high + shift))

    # How it is drawn

    def _redraw_live(self) -> None:
        self.redraw()
        if self._painted:
            pace_of(self.app).frame_sent()

    def _built(self) -> list[Row]:
        colours = palette_of(self)
        width, height = self.size
        body = height - 1
        if body < BELOW + 2 or width < LEFT + 6:
            rows = [as_row(self._heading(colours, 0), width, colours)]
            return rows + [as_row([], width, colours) for _ in range(body)]
        x = self._places()
        y = self._value_axis(x, max(3, (body - BELOW) // 3))
        traces = [
            trace(one, x, self._columns, clock=self._clock(number), look=self._look)
            for number, one in enumerate(self._series)
        ]
        raw: list[Trace] = []
        if self._look.smoothing and len(traces) == 1:
            # What was smoothed away stays visible, faintly.
            rough = ChartLook(self._look.x, 0.0, self._look.log)
            raw = [trace(self._series[0], x, self._columns, clock=self._clock(0), look=rough)]
        glyphs = self._plotted.plot([*traces, *raw], x, y, width, body)
        top = as_row(self._heading(colours, sum(one.hidden for one in traces)), width, colours)
        return [top, *self._coloured(glyphs, traces, x, y, colours)]

    def _value_axis(self, x: Axis, ticks: int) -> Axis:
        bands = len(self._series) <= MOST_BANDS
        span = value_range(self._series, x, clocks=self._clocks, look=self._look, bands=bands)
        if span is None:
            self._values = None
            return Axis(0, 1, (0.0, 1.0))
        made = log_axis if self._look.log else value_axis
        low, high = min(span[0], *self._holding, span[1]), max(span[1], *self._holding, span[0])
        self._values = made(low, high, self._values, ticks)
        return self._values

    def _coloured(
        self, glyphs: list[list[Glyph]], traces: list[Trace], x: Axis, y: Axis, colours: Palette
    ) -> list[Row]:
        lines = [line_style(colours, number) for number in range(len(traces))]
        text, faint, pale = colours.style(), colours.style("faint"), raw_style(colours)
        canvas = len(glyphs) - BELOW
        frame: list[Row] = []
        for number, row in enumerate(glyphs):
            inside = number < canvas
            cells: Row = []
            for glyph in row:
                if glyph.character == " ":
                    cells.append((" ", text))
                elif inside and glyph.line >= len(lines):
                    cells.append((glyph.character, pale))
                else:
                    cells.append(
                        (glyph.character, lines[glyph.line] if inside and glyph.line >= 0 else faint)
                    )
            frame.append(cells)
        if len(traces) <= MOST_BANDS:
            for number, one in enumerate(traces):
                ground = Style(bgcolor=band_ground(colours, number))
                _band(frame, canvas, one, y, band_style(colours, number), ground)
        for one, style in zip(traces, lines, strict=True):
            for column in one.bad:
                frame[canvas - 1][LEFT + column] = ("✗", style + Style(bold=True))
        if self._drag is not None and abs(self._drag[1] - self._drag[0]) >= 2:
            for edge in self._drag:
                self._stroke(frame[:canvas], edge, faint)
        if self._cursor is not None and 0 <= (share := x.share(self._cursor)) <= 1:
            self._stroke(frame[:canvas], column_of(share, self._columns), text)
        return frame

    @staticmethod
    def _stroke(rows: list[Row], column: int, style: Style) -> None:
        for cells in rows:
            if cells[LEFT + column][0] in " ░":
                cells[LEFT + column] = ("│", style)

    def _readings(self) -> list[Reading | None]:
        """Each line at the cursor, or at its end; None for one of several that has nothing there."""
        found = []
        for number, one in enumerate(self._series):
            step = one.steps[-1] if one.steps else 0
            if self._cursor is not None:
                step = round(self._clock(number).step_at(self._cursor))
            there = self._cursor is None or len(self._series) == 1 or self._reaches(number, self._cursor)
            found.append(reading(one, step, self._look.smoothing) if there else None)
        return found

    def _reaches(self, number: int, place: float) -> bool:
        """Whether a line has values near a place: another run may have ended long before."""
        one, clock, axis = self._series[number], self._clock(number), self._places()
        if not one.steps:
            return False
        first, last = clock.at(one.steps[0]), clock.at(one.steps[-1] + one.bin - 1)
        near = max(
            (last - first) / max(1, len(one.steps) - 1), (axis.high - axis.low) / max(1, self._columns - 1)
        )
        return first - near <= place <= last + near

    def _heading(self, colours: Palette, hidden: int) -> list[tuple[str, Style]]:
        look = self._look
        return heading(
            self._title or (self._series[0].key if self._series else ""),
            self._series,
            self._readings(),
            names=self._names,
            place=self._place_text(),
            hidden=hidden,
            notes="log" if look.log else "",
            width=self.size.width,
            colours=colours,
        )

    def _place_text(self) -> str:
        if self._cursor is None:
            return ""
        step = f"step {self.cursor_step}"
        if self._look.x == "time":
            return f"{time_label(round(self._cursor, 1))} ({step})"
        if self._look.x == "tokens":
            return f"{step_label(round(self._cursor))} tokens ({step})"
        return step


def _band(frame: list[Row], canvas: int, one: Trace, y: Axis, dots: Style, ground: Style) -> None:
    """Shade the cells between the lowest and the highest value of each column."""
    for column, (low, high) in one.band.items():
        if low == high:
            continue
        top = canvas - 1 - column_of(min(1.0, max(0.0, y.share(high))), canvas)
        bottom = canvas - 1 - column_of(min(1.0, max(0.0, y.share(low))), canvas)
        for row in range(max(0, top), min(canvas - 1, bottom) + 1):
            character, style = frame[row][LEFT + column]
            frame[row][LEFT + column] = ("░", dots) if character == " " else (character, style + ground)
