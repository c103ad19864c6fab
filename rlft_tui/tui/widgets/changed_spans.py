"""Which cells of a row differ between two frames, so that only those are sent."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style

from rlft_tui.tui.widgets.cells import cell_width

Cell = tuple[str, Style]


def changed_span(old: Iterable[Segment], new: Iterable[Segment], width: int) -> tuple[int, int] | None:
    """The smallest (start, end) in cells outside of which both rows are alike, or None.

    Rows are compared segment by segment from both ends, so a span may be a little
    larger than the difference, never smaller.
    """
    before, after = list(old), list(new)
    start = 0
    while before and after:
        first, second = before[0], after[0]
        if first == second:
            start += cell_width(first.text)
            before.pop(0)
            after.pop(0)
            continue
        if first.style == second.style and first.text.isascii() and second.text.isascii():
            start += _common(first.text, second.text)
        break
    end = width
    while before and after and before[-1] == after[-1]:
        end -= cell_width(before.pop().text)
        after.pop()
    if not before and not after:
        return None
    return (start, end) if start < end else (min(start, width - 1), width)


def _common(first: str, second: str) -> int:
    """Length of the common beginning."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count
