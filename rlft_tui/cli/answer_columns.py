"""Several answers printed as they come, without moving the cursor: in columns, or line by line."""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.tui.widgets.cells import break_lines, fit
from rlft_tui.tui.widgets.harmless import harmless

NARROWEST = 30
"""Cells of a column; answers that would get less are printed line by line."""
GAP = " │ "


class AnswerColumns:
    """Rows of all answers side by side; a row is ready once no answer can change it any more.

    So the answers grow alike, whichever model is faster.
    """

    def __init__(self, headings: Sequence[str], width: int) -> None:
        """``width``: cells of the terminal."""
        self._count = len(headings)
        self._cells = max(1, (width - len(GAP) * (self._count - 1)) // self._count)
        self._headings: list[str] = list(headings)
        self._printed = 0
        """Rows handed out already."""

    @classmethod
    def fits(cls, count: int, width: int) -> bool:
        return (width - len(GAP) * (count - 1)) // count >= NARROWEST

    def take(self, texts: Sequence[str], done: Sequence[bool]) -> list[str]:
        """The rows that are ready now and were not before."""
        columns = [self._lines(text) for text in texts]
        ready = [
            len(lines) if ended else max(0, len(lines) - 1)
            for lines, ended in zip(columns, done, strict=True)
        ]
        waiting = [count for count, ended in zip(ready, done, strict=True) if not ended]
        stop = min(waiting) if waiting else max(ready, default=0)
        rows = []
        if self._headings and (stop or not waiting):
            rows.append(GAP.join(fit(heading, self._cells) for heading in self._headings).rstrip())
            rows.append("─┼─".join("─" * self._cells for _ in range(self._count)))
            self._headings = []
        for row in range(self._printed, stop):
            cells = [fit(lines[row] if row < len(lines) else "", self._cells) for lines in columns]
            rows.append(GAP.join(cells).rstrip())
        self._printed = max(self._printed, stop)
        return rows

    def _lines(self, text: str) -> list[str]:
        safe = harmless(text)
        return [safe[start:end].rstrip() for start, end in break_lines(safe, self._cells)] if safe else []


class AnswerLines:
    """Whole lines of each answer behind its letter, as they come: what a pipe gets."""

    def __init__(self, letters: Sequence[str]) -> None:
        self._letters = list(letters)
        self._printed = [0] * len(letters)
        """Characters of each that were handed out."""

    def take(self, texts: Sequence[str], done: Sequence[bool]) -> list[str]:
        """The lines that are whole now and were not before; at its end the rest of an answer too."""
        rows = []
        for number, (text, ended) in enumerate(zip(texts, done, strict=True)):
            stop = len(text) if ended else text.rfind("\n") + 1
            piece = text[self._printed[number] : stop]
            self._printed[number] = max(stop, self._printed[number])
            rows += [f"{self._letters[number]} │ {line}" for line in piece.splitlines()]
        return rows
