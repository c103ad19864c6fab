"""Lines of a pane: segments of exactly the pane's width, built from styled text."""

from __future__ import annotations

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from rlft_tui.tui.widgets.cells import break_lines, cell_width

Line = tuple[Segment, ...]
"""One row, padded to the pane's width; neighbours with the same style are one segment."""

Piece = tuple[str, Style]


@dataclass(slots=True)
class StyledText:
    """Text with a style for every character: ``runs`` are (end, style), in order."""

    text: str
    runs: list[tuple[int, Style]]

    @classmethod
    def of(cls, pieces: list[Piece]) -> StyledText:
        """From pieces; empty ones are left out."""
        runs: list[tuple[int, Style]] = []
        end = 0
        for text, style in pieces:
            if not text:
                continue
            end += len(text)
            if runs and runs[-1][1] is style:
                runs[-1] = (end, style)
            else:
                runs.append((end, style))
        return cls("".join([text for text, _ in pieces]), runs)

    def wrapped(self, width: int) -> list[list[Piece]]:
        """The text as rows of pieces, none wider than ``width`` cells."""
        text = self.text
        if len(self.runs) == 1:
            style = self.runs[0][1]
            return [[(text[start:end], style)] for start, end in break_lines(text, width)]
        return self._cut(break_lines(text, width))

    def folded(self, width: int) -> list[list[Piece]]:
        """Like ``wrapped``, but cut at exactly ``width`` cells: for code."""
        spans: list[tuple[int, int]] = []
        start = 0
        for line in self.text.split("\n"):
            end = start + len(line)
            spans.extend(_fold(self.text, start, end, width))
            start = end + 1
        return self._cut(spans)

    def _cut(self, spans: list[tuple[int, int]]) -> list[list[Piece]]:
        rows: list[list[Piece]] = []
        runs, text = self.runs, self.text
        index, last = 0, len(runs) - 1
        for start, end in spans:
            row: list[Piece] = []
            while index < last and runs[index][0] <= start:
                index += 1
            at, here = start, index
            while at < end:
                run_end, style = runs[here]
                stop = min(run_end, end)
                row.append((text[at:stop], style))
                at = stop
                here += 1
            rows.append(row)
        return rows


def _fold(text: str, start: int, end: int, width: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    if text[start:end].isascii():
        while end - start > width:
            spans.append((start, start + width))
            start += width
        spans.append((start, end))
        return spans
    used = 0
    for index in range(start, end):
        cells = cell_width(text[index])
        if used + cells > width:
            spans.append((start, index))
            start, used = index, 0
        used += cells
    spans.append((start, end))
    return spans


def padded(pieces: list[Piece], width: int, blank: Style) -> Line:
    """The pieces as one row of exactly ``width`` cells, joined where styles agree."""
    segments: list[Segment] = []
    used = 0
    held, held_style = "", blank
    for text, style in pieces:
        used += cell_width(text)
        if style is held_style or not held:
            held, held_style = held + text, style
        elif text:
            segments.append(Segment(held, held_style))
            held, held_style = text, style
    pad = width - used
    if pad > 0:
        if held_style is blank:
            held += " " * pad
        else:
            if held:
                segments.append(Segment(held, held_style))
            held, held_style = " " * pad, blank
    if held:
        segments.append(Segment(held, held_style))
    return tuple(segments)
