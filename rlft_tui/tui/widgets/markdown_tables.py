"""Tables of a Markdown text: columns aligned, fitted to the width, cells wrapped."""

from __future__ import annotations

from markdown_it.token import Token

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.markdown_inline import inline_pieces
from rlft_tui.tui.widgets.palette import Palette
from rlft_tui.tui.widgets.styled_lines import Piece, StyledText

_LEAST = 5
"""Cells of the narrowest column worth drawing; below that rows become records."""

_GAP = 3
"""Cells between two columns: a bar and a blank on each side."""

Row = list[StyledText]


def table_rows(tokens: list[Token], width: int, palette: Palette) -> list[list[Piece]]:
    """The rows to draw, each at most ``width`` cells wide; ``tokens`` are those within the table."""
    header, body, aligns = _cells(tokens, palette)
    columns = len(header)
    if not columns:
        return []
    if columns * _LEAST + (columns - 1) * _GAP > width:
        return _records(header, body, width, palette)
    rows = [header, *body]
    widths = _fitted([[_natural(cell) for cell in row] for row in rows], columns, width)
    rule = palette.style("faint")
    drawn = _drawn(header, widths, aligns, palette)
    drawn.append([("─┼─".join("─" * cells for cells in widths), rule)])
    wrapped = [_drawn(row, widths, aligns, palette) for row in body]
    ruled = any(len(lines) > 1 for lines in wrapped)
    for index, lines in enumerate(wrapped):
        if ruled and index:
            drawn.append([("╌┼╌".join("╌" * cells for cells in widths), rule)])
        drawn.extend(lines)
    return drawn


def _cells(tokens: list[Token], palette: Palette) -> tuple[Row, list[Row], list[str]]:
    header: Row = []
    body: list[Row] = []
    aligns: list[str] = []
    in_header = False
    for token in tokens:
        if token.type == "tr_open" and not in_header and header:
            body.append([])
        elif token.type == "th_open":
            in_header = True
            aligns.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))
        elif token.type == "thead_close":
            in_header = False
        elif token.type == "inline":
            pieces = inline_pieces(token, palette, "header" if in_header else "text")
            (header if in_header or not body else body[-1]).append(StyledText.of(pieces))
    empty = StyledText("", [])
    for row in body:
        row.extend([empty] * (len(header) - len(row)))
    return header, body, aligns


def _natural(cell: StyledText) -> int:
    return max(cell_width(line) for line in cell.text.split("\n"))


def _fitted(naturals: list[list[int]], columns: int, width: int) -> list[int]:
    """Column widths: natural where they fit, the rest shared by those that need more."""
    wants = [max(1, *(row[column] for row in naturals)) for column in range(columns)]
    left = width - (columns - 1) * _GAP
    if sum(wants) <= left:
        return wants
    widths = [0] * columns
    open_columns = set(range(columns))
    while open_columns:
        share = left // len(open_columns)
        small = [column for column in open_columns if wants[column] <= share]
        if not small:
            for place, column in enumerate(sorted(open_columns)):
                widths[column] = share + (1 if place < left % len(open_columns) else 0)
            break
        for column in small:
            widths[column] = wants[column]
            left -= wants[column]
            open_columns.discard(column)
    return widths


def _drawn(row: Row, widths: list[int], aligns: list[str], palette: Palette) -> list[list[Piece]]:
    wrapped = [cell.wrapped(cells) if cell.text else [] for cell, cells in zip(row, widths, strict=False)]
    bar = (" │ ", palette.style("faint"))
    blank = palette.style("text")
    lines: list[list[Piece]] = []
    for index in range(max(1, *(len(cell) for cell in wrapped))):
        line: list[Piece] = []
        for column, (cell, cells) in enumerate(zip(wrapped, widths, strict=False)):
            if column:
                line.append(bar)
            pieces = cell[index] if index < len(cell) else []
            spare = cells - sum(cell_width(text) for text, _ in pieces)
            align = aligns[column] if column < len(aligns) else ""
            before = spare if align == "right" else spare // 2 if align == "center" else 0
            line.extend([(" " * before, blank), *pieces, (" " * (spare - before), blank)])
        lines.append(line)
    return lines


def _records(header: Row, body: list[Row], width: int, palette: Palette) -> list[list[Piece]]:
    """A table too wide for its columns: one ``header: value`` line for each cell."""
    drawn: list[list[Piece]] = []
    for index, row in enumerate(body or [header]):
        if index:
            drawn.append([("─" * width, palette.style("faint"))])
        for title, cell in zip(header, row, strict=False):
            start = len(title.text) + 2
            text = StyledText(
                f"{title.text}: {cell.text}",
                [(start, palette.style("header")), *((start + end, style) for end, style in cell.runs)],
            )
            drawn.extend(text.wrapped(width))
    return drawn
