"""A text rendered little by little: what is needed first, the rest when there is time."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from rich.style import Style

from rlft_tui.tui.widgets.harmless import harmless
from rlft_tui.tui.widgets.markdown_chunks import GROWING, USUAL, Chunker
from rlft_tui.tui.widgets.palette import REVERSE, STRONG, UNDERLINE, Palette
from rlft_tui.tui.widgets.styled_lines import Line, Piece, StyledText, padded
from rlft_tui.tui.widgets.word_diff import MarkedPiece

if TYPE_CHECKING:
    from rlft_tui.tui.widgets.markdown_lines import MarkdownLines

SLICE = 3_000
"""Characters rendered in one go on the event loop: about 5 ms."""


class TextDocument:
    """Lines of one text at one width; ``advance`` renders the next piece.

    A text that is still growing (``stream=True``) keeps its finished pieces as they are
    and renders only its last, unfinished piece again.
    """

    def __init__(
        self,
        text: str,
        width: int,
        palette: Palette,
        *,
        markdown: bool = True,
        stream: bool = False,
        marks: tuple[MarkedPiece, ...] = (),
    ) -> None:
        """``marks``: the pieces that ``text`` consists of, drawn as they are marked and not as Markdown."""
        self.text = text
        self.width = width
        self.palette = palette
        self.markdown = markdown
        self.stream = stream
        self.marks = marks
        self._marked = _source_lines(marks)
        """Lines of a marked text that are still to be rendered, the last first."""
        self.lines: list[Line] = []
        """What is rendered so far."""
        self._read = 0
        """Characters rendered for good."""
        self._frozen = 0
        """Lines rendered for good."""
        self._tail_end = 0
        """Length of the text when its unfinished piece was last rendered."""
        self._chunker = Chunker(GROWING if stream else USUAL)
        self._starts: list[tuple[int, int]] = []
        """(first line, first character) of each piece rendered for good."""

    @property
    def finished(self) -> bool:
        """Whether every character is in ``lines``."""
        return max(self._read, self._tail_end) >= len(self.text)

    @property
    def estimate(self) -> int:
        """Lines of the whole text: exact when finished, else judged from what is done."""
        done = max(self._read, self._tail_end)
        if done >= len(self.text) or not done:
            return len(self.lines)
        return max(len(self.lines) + 1, round(len(self.lines) * len(self.text) / done))

    def append(self, piece: str) -> None:
        """More text at the end of a stream."""
        self.text += piece

    def close(self) -> None:
        """The stream has ended: its last piece is final."""
        self.stream = False
        self._tail_end = 0

    def advance(self, characters: int = SLICE) -> None:
        """Render about so many more characters, or up to the end of the text."""
        target = min(len(self.text), self._read + characters)
        if self.marks:
            self._advance_marked(target)
            return
        while self._read < target and not (self.stream and self.finished):
            state, gap = self._chunker.state(), self._renderer.state() if self.markdown else None
            chunk = self._chunker.next(self.text, self._read, markdown=self.markdown)
            lines = self._rendered(chunk.text, chunk.joined)
            del self.lines[self._frozen :]
            if self.stream and not chunk.complete:
                self.lines.extend(lines)
                self._tail_end = len(self.text)
                self._chunker.restore(state)
                if gap is not None:
                    self._renderer.restore(gap)
                return
            self._starts.append((self._frozen, self._read))
            self.lines.extend(lines)
            self._read, self._frozen = chunk.end, len(self.lines)

    def render_to(self, line: int, most_characters: int = 16 * SLICE) -> None:
        """Render until the line exists, the text ends or ``most_characters`` are done."""
        limit = self._read + most_characters
        while len(self.lines) <= line and not self.finished and self._read < limit:
            self.advance(500)

    def character_at(self, line: int) -> int:
        """About which character a line shows, to find it again at another width."""
        for index in range(len(self._starts) - 1, -1, -1):
            first, character = self._starts[index]
            if first <= line:
                last = index + 1 == len(self._starts)
                next_line, next_character = (
                    (max(len(self.lines), first + 1), max(self._read, self._tail_end))
                    if last
                    else self._starts[index + 1]
                )
                share = (line - first) / max(1, next_line - first)
                return character + round(share * (next_character - character))
        return 0

    def line_of(self, character: int) -> int:
        """About which line shows a character; the last one where it is not rendered yet."""
        best = 0
        for index, (first, start) in enumerate(self._starts):
            if start > character:
                break
            last = index + 1 == len(self._starts)
            next_line, next_start = (
                (len(self.lines), max(self._read, self._tail_end)) if last else self._starts[index + 1]
            )
            share = (character - start) / max(1, next_start - start)
            best = first + round(min(1.0, share) * (next_line - first))
        return min(best, max(0, len(self.lines) - 1))

    @property
    def characters_done(self) -> int:
        """Characters rendered for good."""
        return self._read

    def _advance_marked(self, target: int) -> None:
        while self._marked and self._read < target:
            pieces = self._marked.pop()
            self._starts.append((self._frozen, self._read))
            styled: list[Piece] = [
                (harmless(piece.text.removesuffix("\n")), _mark_style(self.palette, piece.kind))
                for piece in pieces
            ]
            blank = self.palette.style()
            text = StyledText.of(styled) if any(part for part, _ in styled) else StyledText("", [(0, blank)])
            width = max(8, self.width)
            self.lines += [padded(row, width, blank) for row in text.wrapped(width - 1)]
            self._read += sum(len(piece.text) for piece in pieces)
            self._frozen = len(self.lines)
        if not self._marked:
            self._read = len(self.text)

    @cached_property
    def _renderer(self) -> MarkdownLines:
        """Made for the first Markdown: loading markdown-it takes as long as a screen's first frame."""
        from rlft_tui.tui.widgets.markdown_lines import MarkdownLines

        return MarkdownLines(self.width, self.palette)

    def _rendered(self, text: str, joined: bool) -> list[Line]:
        safe = harmless(text)
        if not self.markdown:
            return _plain_lines(safe, self.width, self.palette)
        return self._renderer.render(safe, joined=joined)


def _plain_lines(text: str, width: int, palette: Palette) -> list[Line]:
    """A text without Markdown: its own line breaks, long lines wrapped."""
    style = palette.style()
    width = max(8, width)
    return [padded(row, width, style) for row in StyledText(text, [(len(text), style)]).wrapped(width - 1)]


def _source_lines(marks: tuple[MarkedPiece, ...]) -> list[list[MarkedPiece]]:
    """The pieces cut at line feeds and gathered by line, the last line first; feeds stay at line ends."""
    lines: list[list[MarkedPiece]] = [[]]
    for piece in marks:
        for part in re.findall(r"[^\n]*\n|[^\n]+", piece.text):
            lines[-1].append(MarkedPiece(part, piece.kind))
            if part.endswith("\n"):
                lines.append([])
    if not lines[-1]:
        lines.pop()
    return lines[::-1]


def _mark_style(palette: Palette, kind: str) -> Style:
    if kind in _PROBABILITY:
        return palette.style(*_PROBABILITY[kind])
    if kind == "changed":
        return palette.style("text", STRONG)
    return palette.style("comment" if kind == "fold" else "faint")


_PROBABILITY = {
    "sure": ("faint", 0),
    "likely": ("text", 0),
    "doubtful": ("code", UNDERLINE),
    "surprising": ("keyword", STRONG | UNDERLINE),
    "cursor": ("text", STRONG | REVERSE),
}
"""Tokens by how likely they were: apart in weight and underlining, for which no colour is needed."""
