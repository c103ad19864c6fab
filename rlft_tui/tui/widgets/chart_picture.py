"""A chart as a vector picture, for papers and messages: SVG, and PNG through resvg."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from msgspec import field

from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.runs.run_status import Series
from rlft_tui.tui.widgets.chart_axis import (
    Axis,
    LogAxis,
    log_axis,
    step_axis,
    step_label,
    tick_label,
    time_axis,
    value_axis,
    window_axis,
)
from rlft_tui.tui.widgets.chart_colours import LIGHT_LINES
from rlft_tui.tui.widgets.chart_points import Trace, trace, value_range
from rlft_tui.tui.widgets.chart_scale import ChartLook, Clock
from rlft_tui.tui.widgets.harmless import harmless_line

WIDTH, HEIGHT = 900, 500
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 24, 56, 56
_FONT = "DejaVu Sans, Helvetica, Arial, sans-serif"
_X_NAMES = {"step": "step", "time": "time of training", "tokens": "tokens"}


class ChartDrawing(Record, frozen=True):
    """What a picture shows: one metric of one run or several."""

    title: str
    series: Sequence[Series]
    names: Sequence[str] = ()
    clocks: Sequence[Clock] = ()
    look: ChartLook = field(default_factory=ChartLook)
    window: tuple[float, float] | None = None


def svg(drawing: ChartDrawing) -> str:
    """The picture on white: means as lines, minimum to maximum as a band, NaN as crosses at the bottom."""
    columns = WIDTH - _LEFT - _RIGHT
    clocks = [*drawing.clocks, *[Clock()] * (len(drawing.series) - len(drawing.clocks))]
    x = _x_axis(drawing, clocks)
    span = value_range(drawing.series, x, clocks=clocks, look=drawing.look) or (0.1, 1.0)
    y = (log_axis if drawing.look.log else value_axis)(*span, None, 6)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{_FONT}" '
        f'font-size="13" fill="#333"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_axes(x, y, drawing),
    ]
    for number, one in enumerate(drawing.series):
        colour = LIGHT_LINES[number % len(LIGHT_LINES)]
        line = trace(one, x, columns, clock=clocks[number], look=drawing.look)
        parts += _line(line, y, colour, dashed=number >= len(LIGHT_LINES))
        parts += _legend(number, colour, drawing)
    return "".join([*parts, "</svg>\n"])


def save_picture(drawing: ChartDrawing, path: Path) -> Path:
    """Write an .svg or .png, by the name's ending; RlftError when that cannot be done."""
    text = svg(drawing)
    if path.suffix == ".png":
        try:
            import resvg_py
        except ImportError:
            raise RlftError(
                "a PNG needs the package resvg-py", remedy="pip install resvg-py, or write an SVG"
            ) from None
        content = bytes(resvg_py.svg_to_bytes(svg_string=text, width=2 * WIDTH))
    else:
        content = text.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise RlftError(f"the picture was not written: {error.strerror}", where=str(path)) from None
    return path


def _x_axis(drawing: ChartDrawing, clocks: Sequence[Clock]) -> Axis:
    ends = [clock.at(one.steps[-1]) for one, clock in zip(drawing.series, clocks, strict=False) if one.steps]
    last = max(ends, default=1.0)
    if drawing.look.x == "time":
        return time_axis(*(drawing.window or (0.0, max(last, 1.0))), 8)
    return window_axis(*drawing.window, 8) if drawing.window else step_axis(int(last), int(last), 8)


def _place(x_share: float, y_share: float) -> tuple[float, float]:
    return (
        round(_LEFT + x_share * (WIDTH - _LEFT - _RIGHT), 1),
        round(HEIGHT - _BOTTOM - min(max(y_share, 0.0), 1.0) * (HEIGHT - _TOP - _BOTTOM), 1),
    )


def _axes(x: Axis, y: Axis, drawing: ChartDrawing) -> list[str]:
    unit = next((one.unit for one in drawing.series if one.unit), "")
    title = harmless_line(f"{drawing.title} ({unit})" if unit else drawing.title)
    smooth = f", moving average {drawing.look.smoothing:g}" if drawing.look.smoothing else ""
    parts = [f'<text x="{_LEFT}" y="24" font-size="16" font-weight="bold">{escape(title + smooth)}</text>']
    step = abs(y.ticks[1] - y.ticks[0]) if len(y.ticks) > 1 else 0.0
    for mark in y.ticks:
        left, level = _place(0, y.share(mark))
        label = f"{mark:g}" if isinstance(y, LogAxis) else tick_label(mark, step)
        parts.append(f'<path d="M{left} {level}H{WIDTH - _RIGHT}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{left - 8}" y="{level + 4}" text-anchor="end">{escape(label)}</text>')
    for mark, label in zip(x.ticks, x.labels or map(step_label, x.ticks), strict=False):
        at, bottom = _place(x.share(mark), 0)
        parts.append(f'<path d="M{at} {bottom}v5" stroke="#333"/>')
        parts.append(f'<text x="{at}" y="{bottom + 20}" text-anchor="middle">{escape(label)}</text>')
    left, bottom = _place(0, 0)
    parts.append(f'<path d="M{left} {_TOP}V{bottom}H{WIDTH - _RIGHT}" stroke="#333" fill="none"/>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    name = _X_NAMES[drawing.look.x]
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{name}</text>')
    return parts


def _line(line: Trace, y: Axis, colour: str, *, dashed: bool) -> list[str]:
    columns = WIDTH - _LEFT - _RIGHT
    parts = []
    band = sorted(line.band.items())
    if any(low != high for _, (low, high) in band):
        top = [_place(column / max(1, columns - 1), y.share(high)) for column, (_, high) in band]
        under = [_place(column / max(1, columns - 1), y.share(low)) for column, (low, _) in reversed(band)]
        parts.append(f'<polygon points="{_points([*top, *under])}" fill="{colour}" fill-opacity="0.16"/>')
    dash = ' stroke-dasharray="6 3"' if dashed else ""
    for run in line.runs:
        points = [_place(at, y.share(value)) for at, value in run]
        if len(points) == 1:
            parts.append(f'<circle cx="{points[0][0]}" cy="{points[0][1]}" r="2" fill="{colour}"/>')
        else:
            stroke = f'fill="none" stroke="{colour}" stroke-width="1.8"{dash}'
            parts.append(f'<polyline points="{_points(points)}" {stroke}/>')
    for column in sorted(line.bad):
        at, bottom = _place(column / max(1, columns - 1), 0)
        parts.append(f'<path d="M{at - 4} {bottom - 4}l8 8m0-8l-8 8" stroke="{colour}" stroke-width="2"/>')
    return parts


def _legend(number: int, colour: str, drawing: ChartDrawing) -> list[str]:
    if number >= len(drawing.names):
        return []
    at = _LEFT + number % 4 * 200
    row = 40 + number // 4 * 14
    name = escape(harmless_line(drawing.names[number]))
    return [
        f'<path d="M{at} {row - 4}h18" stroke="{colour}" stroke-width="2.5"/>',
        f'<text x="{at + 24}" y="{row}" font-size="12">{name}</text>',
    ]


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
