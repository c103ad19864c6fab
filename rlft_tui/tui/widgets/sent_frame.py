"""What the terminal shows, so that a frame sends only the cells that differ from it.

Textual sends a whole frame for every change of layout: another view, a dialog, a notice. Most
of its cells are on the screen already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, repeat
from operator import itemgetter
from weakref import WeakKeyDictionary

from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from rlft_tui.tui.widgets.cells import char_width, is_doubtful
from rlft_tui.tui.widgets.changed_spans import Cell, changed_cells

_Parts = dict[int, Strip]
"""A row cut where the widgets on it meet: column to strip, the whole width of the screen together.

They meet in the same places frame after frame, so that what a strip replaces need not be cut out.
"""


class SentFrame:
    """The rows last written to one terminal; None for a row of which that is not known."""

    def __init__(self) -> None:
        self._width = 0
        self._rows: list[_Parts | None] = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the screen that was last written whole; 0, 0 before."""
        return self._width, len(self._rows)

    def forget(self) -> None:
        """The terminal may show anything now: all is sent again."""
        self._rows = [None] * len(self._rows)

    def fit(self, width: int, height: int) -> None:
        """A terminal of another size shows nothing that is known."""
        if (width, height) != self.size:
            self._width, self._rows = width, [None] * height

    def news(self, x: int, y: int, strip: Strip) -> Iterator[tuple[int, Iterable[Segment]]]:
        """The parts of a strip at (x, y) that must be written, with their columns; then it is shown."""
        row = self._rows[y] if y < len(self._rows) else None
        end = x + strip.cell_length
        if end == x:
            return
        if row is None:
            if y < len(self._rows) and x == 0 and end == self._width:
                self._rows[y] = {x: strip}
            yield x, strip
            return
        if end > self._width:
            self._rows[y] = None
            yield x, strip
            return
        shown = row.get(x)
        if shown is None or shown.cell_length != strip.cell_length:
            shown = _cut_out(row, x, end)
        if shown == strip:
            return
        row[x] = strip
        before, after = _cells(shown), _cells(strip)
        if before is None or after is None:
            yield x, strip
            return
        for start, stop in changed_cells(before, after):
            yield x + start, _segments(after[start:stop])


def _cut_out(row: _Parts, x: int, end: int) -> Strip:
    """Cut the row anew, so that what stands from ``x`` to ``end`` is one part of it; that part."""
    whole = Strip.join([row[column] for column in sorted(row)])
    row.clear()
    for start, stop in ((0, x), (x, end), (end, whole.cell_length)):
        if start < stop:
            row[start] = whole.crop(start, stop)
    return row[x]


def _cells(strip: Strip) -> list[Cell] | None:
    """The cells of a strip; None where a character takes no cell or two, or may do so.

    Terminals do not agree on the width of all of those, so that such a row is sent whole.
    """
    cells: list[Cell] = []
    for text, style, _ in strip:
        if not text.isascii() and (
            is_doubtful(text) or any(char_width(character) != 1 for character in set(text))
        ):
            return None
        cells.extend(zip(text, repeat(style)))  # type: ignore[arg-type]  # None is a style here
    return cells


def _segments(cells: list[Cell]) -> list[Segment]:
    return [
        Segment("".join([character for character, _ in like]), style)
        for style, like in groupby(cells, itemgetter(1))
    ]


_frames: WeakKeyDictionary[Console, SentFrame] = WeakKeyDictionary()


def frame_of(console: Console) -> SentFrame:
    """What the terminal of an app's console shows."""
    frame = _frames.get(console)
    if frame is None:
        frame = _frames[console] = SentFrame()
    return frame
