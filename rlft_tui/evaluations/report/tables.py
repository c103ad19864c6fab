"""A board as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import re

from rlft_tui.evaluations.report.board import (
    MARKS,
    Board,
    Cell,
    cell_text,
    interval_text,
    p_text,
    row_title,
)
from rlft_tui.evaluations.report.visible import one_line

CSV_COLUMNS = (
    "suite", "task", "metric", "model", "value", "low", "high", "stderr", "n", "errors", "better",
    "baseline", "baseline_value", "difference", "difference_low", "difference_high", "p", "p_holm", "test",
    "pairs", "standing", "run_id",
)  # fmt: skip
LEGEND = "✓ better and ✗ worse than the baseline by more than chance, ≈ could be chance (95 %)"


_MARKS = re.compile(r"[\\`*\[\]|!]|(?<!\w)_|_(?!\w)")
"""An underscore inside a word is none to Markdown either."""


def markdown(board: Board) -> str:
    """One table a suite; a second line in a cell has the interval and n."""
    parts = []
    for suite in board.suites():
        names = {model: _md(model) for model in board.models}
        head = [
            "metric",
            *(f"{name} (baseline)" if model == board.baseline else name for model, name in names.items()),
        ]
        lines = [f"## {_md(suite)}", "", _md_row(head), _md_row(["---"] * len(head))]
        for row in board.rows:
            if row.suite != suite:
                continue
            cells = [_md(row_title(row))]
            for cell in row.cells:
                if cell.evaluation is None:
                    cells.append("–")
                    continue
                text = f"{MARKS[cell.standing]} {cell_text(row, cell)}".strip()
                ends = interval_text(cell.evaluation, share=row.is_share)
                notes = [
                    f"n {cell.evaluation.n:,}",
                    *([ends] if ends else []),
                    *filter(None, [p_text(cell.change)]),
                ]
                cells.append(f"{_md(text)}<br><small>{_md('; '.join(notes))}</small>")
            lines.append(_md_row(cells))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + f"\n\n{LEGEND}.{correction(board)}\n"


def correction(board: Board) -> str:
    """What many tests together mean; empty where there are none."""
    if board.compared < 2:
        return ""
    return f" {board.compared} comparisons were made; p is Holm's, over all metrics of a model."


def to_csv(board: Board) -> str:
    """One line a figure, for spreadsheets and scripts."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for row in board.rows:
        for cell in row.cells:
            one = cell.evaluation
            if one is not None:
                names = tuple(map(_plain, (row.suite, row.task, row.metric, cell.model)))
                own = (one.value, one.low, one.high, one.stderr, one.n, one.errors, one.better)
                base = (_plain(board.baseline), *_compared(cell))
                writer.writerow((*names, *own, *base, cell.standing, one.run_id))
    return out.getvalue()


def _compared(cell: Cell) -> tuple[object, ...]:
    """The columns from baseline_value to pairs."""
    change = cell.change
    if change is None:
        return (cell.before, *[""] * 7)
    tested = (change.p, change.p_holm, change.test, change.n)
    return (change.baseline_value, change.difference, change.low, change.high, *tested)


def _plain(text: str) -> str:
    """A name that a spreadsheet does not take for a formula, however many spaces stand before it."""
    line = one_line(text)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line


def _md(text: str) -> str:
    """As it is, also where it has what Markdown or HTML would take for their own."""
    return _MARKS.sub(r"\\\g<0>", one_line(text).replace("&", "&amp;").replace("<", "&lt;"))


def _md_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
