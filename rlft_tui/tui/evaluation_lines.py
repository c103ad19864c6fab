"""The board of models and metrics as lines: columns that fit, marks, and what is said of one figure."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.report.board import (
    MARKS,
    Board,
    BoardRow,
    Cell,
    Standing,
    cell_text,
    figure,
    interval_text,
    p_text,
    row_title,
)
from rlft_tui.record import Record
from rlft_tui.tui import run_text

STYLES: dict[Standing, str] = {
    "better": "bold #56b4e9",
    "worse": "bold #e69f00",
    "undecided": "dim",
    "none": "",
}
"""Blue and orange are apart for every kind of colour vision; the mark before the figure says it too."""
SHORT, LONG, BASE = 13, 27, 11
"""Cells of a model's column, without and with where it comes from, and of the baseline's at least."""
_LEAST_TITLE, _MOST_TITLE = 20, 44


class Layout(Record, frozen=True):
    """Which models are shown, and how wide."""

    title: int
    base: int
    """Cells of the baseline's column."""
    column: int
    models: tuple[str, ...]
    """The baseline first, then those from the cursor's page on."""

    @property
    def long(self) -> bool:
        return self.column == LONG


def layout(board: Board, width: int, chosen: str) -> Layout:
    """As many columns as fit; the chosen model is among them."""
    base = [board.baseline] if board.baseline else []
    others = [model for model in board.models if model != board.baseline]
    room = width - 1 - (BASE + 2) * len(base)
    column = LONG if room >= _LEAST_TITLE + (LONG + 2) * len(others) else SHORT
    fits = max(1, (room - _LEAST_TITLE) // (column + 2))
    at = others.index(chosen) if chosen in others else 0
    first = max(0, min(at - fits + 1, len(others) - fits)) if at >= fits else 0
    shown = others[first : first + fits]
    room -= (column + 2) * len(shown)
    title = min(_MOST_TITLE, room)
    wanted = cell_len(run_text.plain(board.baseline)) + 2 - BASE
    return Layout(title, BASE + max(0, min(wanted, room - title)), column, (*base, *shown))


def head_line(board: Board, at: Layout, chosen: str) -> Text:
    """The names of the columns; the chosen one is marked by brackets."""
    line = Text(" " + "metric".ljust(at.title), no_wrap=True)
    for model in at.models:
        width = at.base if model == board.baseline else at.column
        name = run_text.plain(model)
        name = f"[{run_text.cut(name, width - 2)}]" if model == chosen else run_text.cut(name, width)
        line.append("  " + _padded(name, width), style="reverse" if model == chosen else "none")
    return line


def row_line(board: Board, row: BoardRow, at: Layout) -> Text:
    """One metric over the shown models."""
    title = run_text.cut(run_text.plain(row_title(row)), at.title)
    line = Text(" " + _padded(title, at.title), no_wrap=True)
    for model in at.models:
        cell = row.cell(model)
        width = at.base if model == board.baseline else at.column
        text = "" if cell is None else shown_cell(row, cell, long=at.long)
        style = STYLES[cell.standing] if cell is not None else ""
        line.append("  ")
        line.append(_padded(run_text.cut(text, width), width), style=style or "none")
    return line


def shown_cell(row: BoardRow, cell: Cell, *, long: bool) -> str:
    """``✓ 3.21 (↓ from 3.89)``, or ``✓ 3.21 ↓`` where there is little room."""
    if cell.evaluation is None:
        return "  –"
    if long or cell.before is None or cell.value is None or row.metric in ("win_rate", "lc_win_rate"):
        return f"{MARKS[cell.standing]} {cell_text(row, cell)}"
    way = "↑" if cell.value > cell.before else "↓" if cell.value < cell.before else "="
    return f"{MARKS[cell.standing]} {figure(cell.value, share=row.is_share)} {way}"


def detail_lines(board: Board, row: BoardRow, cell: Cell | None) -> list[str]:
    """What stands behind the figure under the cursor."""
    where = f"{row.suite} · {row.task} · {row.metric.replace('_', ' ')}"
    if cell is None or cell.evaluation is None:
        return [where, "not measured"]
    one, change = cell.evaluation, cell.change
    ends = interval_text(one, share=row.is_share)
    failed = f" · {one.errors:,} could not be judged" if one.errors else ""
    said = (
        f"{run_text.cut(run_text.plain(cell.model), _MOST_TITLE)}: {cell_text(row, cell)}"
        + (f" · 95 % {ends}" if ends else "")
        + f" · n {one.n:,}{failed}"
    )
    lines = [where, said]
    if change is not None and change.p is not None:
        scale = 100 if row.is_share else 1
        low, high = change.low, change.high
        unit = " points" if row.is_share else ""
        gap = "" if low is None or high is None else f"by {scale * low:+.3g} to {scale * high:+.3g}{unit} · "
        corrected = ", Holm over all metrics" if board.compared > 1 else ""
        lines.append(f"{words(cell.standing)} · {gap}{p_text(change)}{corrected}")
    elif row.metric in ("win_rate", "lc_win_rate"):
        lines.append(f"{words(cell.standing)}: its interval against one half")
    return lines


def words(standing: Standing) -> str:
    """A standing as a person says it."""
    return {
        "better": "better by more than chance",
        "worse": "worse by more than chance",
        "undecided": "could be chance",
        "none": "nothing to compare with",
    }[standing]


def scores_text(item: Item) -> str:
    """``accuracy 1``, or why there is none."""
    found = [f"{name} {'–' if value is None else f'{value:g}'}" for name, value in item.scores.items()]
    return run_text.plain(", ".join(found) or item.error or "no score")


def said_text(item: Item) -> str:
    """A model's answer, and below it why it was judged so and what was expected."""
    parts = [item.output]
    reason = item.parts.get("reason")
    notes = [
        ("reason", reason if isinstance(reason, str) else ""),
        ("expected", item.expected),
        ("error", item.error),
        *(
            (name, str(value))
            for name, value in item.parts.items()
            if name not in ("reason", "model", "opponent") and value not in (None, "", [])
        ),
    ]
    parts += [f"── {name}\n{value}" for name, value in notes if value]
    return "\n\n".join(parts)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
