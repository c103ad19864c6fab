"""Values with their intervals as a small picture: one line a model, inline SVG."""

from __future__ import annotations

import math
from html import escape

from rlft_tui.evaluations.report.board import MARKS, BoardRow, figure
from rlft_tui.evaluations.report.visible import visible

COLOURS = ("#6b6b6b", "#0072b2", "#b35c00", "#007a5a", "#a0447e", "#6f6600", "#c0390b")
"""Okabe and Ito's colour-blind safe colours, darkened for white ground; grey for the baseline."""
_WIDTH, _LEFT, _RIGHT, _LINE = 560, 170, 90, 22


def intervals_svg(row: BoardRow, baseline: str) -> str:
    """Dots with 95 % intervals on one axis; a dashed line at the baseline, or at one half."""
    shown = [cell for cell in row.cells if cell.evaluation is not None and cell.value is not None]
    if not shown:
        return ""
    ends = [
        end
        for cell in shown
        if cell.evaluation is not None
        for end in (cell.value, cell.evaluation.low, cell.evaluation.high)
        if end is not None and math.isfinite(end)
    ]
    rates = row.metric in ("win_rate", "lc_win_rate")
    base = row.cell(baseline)
    mark = 0.5 if rates else base.value if base is not None else None
    low, high = _range([*ends, *([mark] if mark is not None else [])], share=row.is_share)
    height = _LINE * len(shown) + 34

    def x(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    bottom = _LINE * len(shown) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'role="img" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#222">',
        f'<path d="M{_LEFT} {bottom}H{_WIDTH - _RIGHT}" stroke="#999"/>',
    ]
    for tick in (low, (low + high) / 2, high):
        label = figure(tick, share=row.is_share)
        parts.append(f'<path d="M{x(tick)} {bottom}v4" stroke="#999"/>')
        parts.append(f'<text x="{x(tick)}" y="{bottom + 18}" text-anchor="middle" fill="#555">{label}</text>')
    if mark is not None:
        parts.append(f'<path d="M{x(mark)} 4V{bottom}" stroke="#999" stroke-dasharray="4 3"/>')
    for number, cell in enumerate(shown):
        one = cell.evaluation
        assert one is not None
        assert cell.value is not None
        y = 16 + _LINE * number
        colour = COLOURS[list(row.cells).index(cell) % len(COLOURS)]
        name = escape(_cut(visible(cell.model), 24))
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{name}</text>')
        if one.low is not None and one.high is not None:
            left, right = x(one.low), x(one.high)
            stroke = f'stroke="{colour}" stroke-width="2"'
            parts.append(
                f'<path d="M{left} {y}H{right}M{left} {y - 4}v8M{right} {y - 4}v8" {stroke} fill="none"/>'
            )
        parts.append(f'<circle cx="{x(cell.value)}" cy="{y}" r="4.5" fill="{colour}"/>')
        said = f"{figure(cell.value, share=row.is_share)} {MARKS[cell.standing]}"
        parts.append(f'<text x="{_WIDTH - _RIGHT + 8}" y="{y + 4}">{said}</text>')
    return "".join([*parts, "</svg>"])


def _range(ends: list[float], *, share: bool) -> tuple[float, float]:
    """A little more than what is shown; shares stay between 0 and 1."""
    low, high = min(ends), max(ends)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 0.5
    low, high = low - room, high + room
    return (max(0.0, low), min(1.0, high)) if share else (low, high)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
