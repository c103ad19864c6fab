"""What the terminal shows, so that a frame sends only the cells that differ from it.

Textual sends a whole frame for every change of layout: another view, a dialog, a notice. Most
of its cells are on the screen already.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from rich.console import Console
from textual.strip import Strip

from rlft_tui.tui.widgets.cells import char_width
from rlft_tui.tui.widgets.changed_spans import Cell, changed_cells


class SentFrame:
    """The rows last written to one terminal; None for a row of which that is not known."""

    def __init__(self) -> None:
        self._width = 0
        self._rows: list[Strip | None] = []

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

    def news(self, x: int, y: int, strip: Strip) -> Iterator[tuple[int, Strip]]:
        """The parts of a strip at (x, y) that must be written, with their columns; then it is shown."""
        row = self._rows[y] if y < len(self._rows) else None
        end = x + strip.cell_length
        if row is None:
            if y < len(self._rows) and x == 0 and end == self._width:
                self._rows[y] = strip
            yield x, strip
            return
        if end > self._width:
            self._rows[y] = None
            yield x, strip
            return
        shown = row.crop(x, end)
        if shown == strip:
            return
        whole = x == 0 and end == self._width
        self._rows[y] = strip if whole else Strip.join([row.crop(0, x), strip, row.crop(end)])
        before, after = _cells(shown), _cells(strip)
        if before is None or after is None:
            yield x, strip
            return
        for start, stop in changed_cells(before, after):
            yield x + start, strip.crop(start, stop)


def _cells(strip: Strip) -> list[Cell] | None:
    """The cells of a strip; None where a character takes no cell or two.

    Terminals do not agree on the width of all of those, so that such a row is sent whole.
    """
    cells: list[Cell] = []
    for text, style, _ in strip:
        if not text.isascii() and any(char_width(character) != 1 for character in set(text)):
            return None
        cells.extend([(character, style) for character in text])  # type: ignore[misc]  # None is a style here
    return cells


_frames: WeakKeyDictionary[Console, SentFrame] = WeakKeyDictionary()


def frame_of(console: Console) -> SentFrame:
    """What the terminal of an app's console shows."""
    frame = _frames.get(console)
    if frame is None:
        frame = _frames[console] = SentFrame()
    return frame
