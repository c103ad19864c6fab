"""Which cells of a row differ between two frames, so that only those are sent."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style

from rlft_tui.tui.widgets.cells import cell_width

Cell = tuple[str, Style]


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
