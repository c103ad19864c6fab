"""Figures of several sets of texts as points with their intervals: for a terminal, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.statistics import Estimate
from rlft_tui.evaluations.text_sets import Measured
from rlft_tui.tui.widgets.harmless import harmless_line

_CELLS = 50
_ROW, _LEFT, _PLOT, _TOP = 22, 250, 460, 40
_FONT = "DejaVu Sans, Helvetica, Arial, sans-serif"
Panel = tuple[str, list[tuple[str, Estimate]], float, float]
"""Title, a row a set, and the ends of the scale."""


def interval_chart(measured: Sequence[Measured]) -> str:
    """Each measure on a scale of its own: ``├──●──┤`` a set. Through any pipe, without colour."""
    width = max(len(harmless_line(one.name)) for one in measured)
    parts = []
    for title, rows, low, high in _panels(measured):
        lines = [f"{title}  {low:.3g} … {high:.3g}"]
        for name, estimate in rows:
            lines.append(
                f"  {harmless_line(name):<{width}} {_bar(estimate, low, high)}  {estimate.value:.3g}"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _bar(estimate: Estimate, low: float, high: float) -> str:
    cells = [" "] * _CELLS

    def at(value: float) -> int:
        return min(_CELLS - 1, max(0, round((value - low) / (high - low) * (_CELLS - 1))))

    if estimate.low is not None and estimate.high is not None:
        first, last = at(estimate.low), at(estimate.high)
        cells[first : last + 1] = "─" * (last - first + 1)
        cells[first], cells[last] = "├", "┤"
    cells[at(estimate.value or 0.0)] = "●"
    return "".join(cells)


def save_picture(measured: Sequence[Measured], path: Path) -> Path:
    """Write an .svg or .png, by the name's ending; RlftError when that cannot be done."""
    text = svg(measured)
    content = text.encode()
    if path.suffix == ".png":
        try:
            import resvg_py
        except ImportError:
            raise RlftError(
                "a PNG needs the package resvg-py", remedy="pip install resvg-py, or write an SVG"
            ) from None
        content = bytes(resvg_py.svg_to_bytes(svg_string=text, width=1600))
    try:
        path.write_bytes(content)
    except OSError as error:
        raise RlftError(f"the picture was not written: {error.strerror}", where=str(path)) from None
    return path


def svg(measured: Sequence[Measured]) -> str:
    """The same on white, one panel a measure, one colour a set."""
    from rlft_tui.tui.widgets.chart_colours import LIGHT_LINES

    parts = []
    y = _TOP
    for title, rows, low, high in _panels(measured):
        parts.append(f'<text x="16" y="{y}" font-weight="bold">{escape(title)}</text>')
        parts.append(f'<text x="{_LEFT}" y="{y}" fill="#666">{low:.3g}</text>')
        parts.append(f'<text x="{_LEFT + _PLOT}" y="{y}" fill="#666" text-anchor="end">{high:.3g}</text>')
        for name, estimate in rows:
            y += _ROW
            number = next(at for at, one in enumerate(measured) if one.name == name)
            parts += _drawn(name, estimate, low, high, y, LIGHT_LINES[number % len(LIGHT_LINES)])
        y += 2 * _ROW
    width = _LEFT + _PLOT + 90
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="{_FONT}" '
        f'font-size="13" fill="#333"><rect width="{width}" height="{y}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _drawn(name: str, estimate: Estimate, low: float, high: float, y: int, colour: str) -> Iterator[str]:
    def at(value: float) -> float:
        return round(_LEFT + min(1.0, max(0.0, (value - low) / (high - low))) * _PLOT, 1)

    yield f'<text x="28" y="{y}">{escape(harmless_line(name))}</text>'
    yield f'<path d="M{_LEFT} {y - 4}H{_LEFT + _PLOT}" stroke="#e3e3e3"/>'
    if estimate.low is not None and estimate.high is not None:
        ends = f"M{at(estimate.low)} {y - 4}H{at(estimate.high)}"
        yield f'<path d="{ends}" stroke="{colour}" stroke-width="3"/>'
    value = estimate.value or 0.0
    yield f'<circle cx="{at(value)}" cy="{y - 4}" r="5" fill="{colour}"/>'
    yield f'<text x="{_LEFT + _PLOT + 12}" y="{y}">{value:.3g}</text>'


def _panels(measured: Sequence[Measured]) -> Iterator[Panel]:
    names = list(dict.fromkeys(figure.name for one in measured for figure in one.figures))
    for name in names:
        rows = [
            (one.name, figure.estimate)
            for one in measured
            for figure in one.figures
            if figure.name == name and figure.estimate.value is not None
        ]
        ends = [
            end
            for _, estimate in rows
            for end in (estimate.low, estimate.value, estimate.high)
            if end is not None
        ]
        unit = next(figure.unit for one in measured for figure in one.figures if figure.name == name)
        low, high = (0.0, 1.0) if unit == "share" else (min(0.0, *ends), max(ends))
        if rows:
            yield name, rows, low, high if high > low else low + 1.0
