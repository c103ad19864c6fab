"""Which cells of a row differ between two frames, so that only those are sent."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress, count
from operator import ne

from rich.segment import Segment
from rich.style import Style

from rlft_tui.tui.widgets.cells import cell_width

Cell = tuple[str, Style]
Row = list[Cell]
"""One entry a cell: (character, style); the second cell of a wide character holds ''."""

NEAR = 10
"""Unchanged cells between two changed ones that are cheaper to send than to skip."""


def changed_span(old: Iterable[Segment], new: Iterable[Segment], width: int) -> tuple[int, int] | None:
    """A (start, end) in cells outside of which both rows are alike, or None when they are alike.

    Rows are compared from both ends, segment by segment and then character by character, so
    a span may be a little larger than the difference, never smaller.
    """
    before, after = list(old), list(new)
    if before == after:
        return None
    start = 0
    while before and after and before[0] == after[0]:
        start += cell_width(before.pop(0).text)
        after.pop(0)
    end = width
    while before and after and before[-1] == after[-1]:
        end -= cell_width(before.pop().text)
        after.pop()
    if before and after:
        start += _alike(before[0], after[0], 1)
        end -= _alike(before[-1], after[-1], -1)
    return (start, end) if start < end else (max(0, min(start, width - 1)), width)


def _alike(first: Segment, second: Segment, step: int) -> int:
    """Cells that two segments of one style have in common, from the left (1) or the right (-1)."""
    if first.style != second.style or not first.text.isascii() or not second.text.isascii():
        return 0
    count = 0
    for one, other in zip(first.text[::step], second.text[::step], strict=False):
        if one != other:
            break
        count += 1
    return count


def changed_cells(old: Row, new: Row) -> list[tuple[int, int]]:
    """Spans (start, end) of cells that differ, those less than ``NEAR`` apart joined."""
    spans: list[tuple[int, int]] = []
    if old is new:
        return spans
    if len(old) != len(new):
        return [(0, len(new))]
    for index in compress(count(), map(ne, old, new)):
        if spans and index - spans[-1][1] < NEAR:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return [_whole(old, new, start, end) for start, end in spans]


def _whole(old: Row, new: Row, start: int, end: int) -> tuple[int, int]:
    """The span grown so that it cuts no wide character in two."""
    while start and (not new[start][0] or not old[start][0]):
        start -= 1
    while end < len(new) and (not new[end][0] or not old[end][0]):
        end += 1
    return start, end
