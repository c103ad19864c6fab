"""Markdown blocks rendered to pane-wide lines, straight from markdown-it's tokens."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it.token import Token

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.code_lines import highlighted
from rlft_tui.tui.widgets.markdown_inline import inline_pieces, parser
from rlft_tui.tui.widgets.markdown_tables import table_rows
from rlft_tui.tui.widgets.maths_text import maths_text
from rlft_tui.tui.widgets.palette import Palette
from rlft_tui.tui.widgets.styled_lines import Line, Piece, StyledText, padded

_BULLETS = "•◦▪"
_DEEPEST = 0.5
"""Share of the pane that nested prefixes may take; deeper levels are drawn at the same indent."""


@dataclass(slots=True)
class _Level:
    """A list item or quote around what is being drawn."""

    first: Piece
    """Before its first row."""
    rest: Piece
    """Before all others."""
    used: bool = False


class MarkdownLines:
    """Renders one piece of Markdown after another into lines of the same width."""

    def __init__(self, width: int, palette: Palette) -> None:
        self.width = max(8, width)
        """Cells of a line."""
        self._palette = palette
        self._blank = palette.style()
        self._lines: list[Line] = []
        self._levels: list[_Level] = []
        self._lists: list[int | None] = []
        """The open lists: the next number, or None for bullets."""
        self._indent = 0
        self._gap = False
        self._base = "text"
        self._carried: int | None = None
        """The number after the last of the list that the piece ended in."""
        self._number: int | None = None
        """The number that a list at the very start of a piece goes on with."""

    def render(self, text: str, *, joined: bool = False) -> list[Line]:
        """Lines of a piece; ``text`` must be harmless already.

        ``joined``: the piece goes on where the last one was cut, so no blank row before it.
        """
        self._lines = []
        self._gap = self._gap and not joined
        self._number = self._carried if joined else None
        self._carried = None
        tokens = parser().parse(text)
        index = 0
        while index < len(tokens):
            index = self._block(tokens, index)
            self._number = None
        if tokens and not tokens[-1].type.endswith("list_close"):
            self._carried = None
        self._levels.clear()
        self._lists.clear()
        self._indent = 0
        self._base = "text"
        return self._lines

    def state(self) -> tuple[bool, int | None]:
        """What must be restored to render the same piece again."""
        return self._gap, self._carried

    def restore(self, state: tuple[bool, int | None]) -> None:
        """Go back to a state taken before ``render``."""
        self._gap, self._carried = state

    def _block(self, tokens: list[Token], index: int) -> int:
        """Draws what begins at ``index``; the index to go on with."""
        token = tokens[index]
        kind = token.type
        if kind == "inline":
            self._paragraph(token)
        elif kind == "paragraph_open":
            if not token.hidden:
                self._separate()
        elif kind == "paragraph_close":
            self._gap = not token.hidden
        elif kind == "heading_open":
            self._separate()
            self._base = f"heading{min(6, int(token.tag[1:]))}"
        elif kind == "heading_close":
            self._base = self._quoted()
            self._gap = True
        elif kind in ("fence", "code_block"):
            self._separate()
            self._code(token.content, token.info.split()[0] if token.info.strip() else "")
            self._gap = True
        elif kind == "hr":
            self._separate()
            self._emit([("─" * self._room(), self._palette.style("faint"))])
            self._gap = True
        elif kind == "table_open":
            return self._table(tokens, index)
        elif kind == "maths_block":
            self._separate()
            formula = maths_text(token.content.rstrip("\n"))
            self._rows(StyledText.of([(formula, self._palette.style("maths"))]))
            self._gap = True
        else:
            self._container(tokens, index)
        return index + 1

    def _container(self, tokens: list[Token], index: int) -> None:
        token = tokens[index]
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            if not self._lists or self._gap:
                self._separate()
            self._lists.append(self._first_number(token) if kind.startswith("ordered") else None)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            number = self._lists.pop()
            if not self._lists:
                self._carried = number
            self._gap = True
        elif kind == "list_item_open":
            tight = index + 1 < len(tokens) and tokens[index + 1].hidden
            if tight:
                self._gap = False
            else:
                self._separate()
            self._open(*self._marker())
        elif kind == "list_item_close":
            self._close()
        elif kind == "blockquote_open":
            self._separate()
            bar = ("▌ ", self._palette.style("faint"))
            self._open(bar, bar)
            self._base = "quote"
        elif kind == "blockquote_close":
            self._close()
            self._base = self._quoted()
            self._gap = True

    def _quoted(self) -> str:
        return "quote" if any(level.rest[0].startswith("▌") for level in self._levels) else "text"

    def _first_number(self, token: Token) -> int:
        start = token.attrs.get("start", 1)
        number = int(start) if isinstance(start, (int, str)) else 1
        if not self._lists and self._number is not None:
            return max(number, self._number)
        return number

    def _marker(self) -> tuple[Piece, Piece]:
        number = self._lists[-1] if self._lists else None
        if number is None:
            depth = sum(1 for entry in self._lists if entry is None)
            mark = _BULLETS[(depth - 1) % len(_BULLETS)] + " "
        else:
            mark = f"{number}. "
            self._lists[-1] = number + 1
        return (mark, self._palette.style("bullet")), (" " * len(mark), self._blank)

    def _open(self, first: Piece, rest: Piece) -> None:
        if self._indent + len(rest[0]) > self.width * _DEEPEST:
            first, rest = (first[0].strip()[:1], first[1]), ("", rest[1])
        self._levels.append(_Level(first, rest))
        self._indent += len(rest[0])

    def _close(self) -> None:
        level = self._levels[-1]
        if not level.used:
            self._emit([])
        self._levels.pop()
        self._indent -= len(level.rest[0])

    def _room(self) -> int:
        """Cells left by the prefixes; the last cell of a row stays blank, for the pane's position mark."""
        unindented = sum(1 for level in self._levels if not level.rest[0])
        return max(4, self.width - self._indent - unindented - 1)

    def _separate(self) -> None:
        if self._gap and not (self._levels and not self._levels[-1].used):
            self._emit([])
        self._gap = False

    def _emit(self, pieces: list[Piece]) -> None:
        prefix: list[Piece] = []
        for level in self._levels:
            prefix.append(level.rest if level.used else level.first)
            level.used = True
        used = sum(cell_width(text) for text, _ in prefix)
        have = used + sum(cell_width(text) for text, _ in pieces)
        if have > self.width:
            prefix = prefix[-1:]
        self._lines.append(padded(prefix + pieces, self.width, self._blank))

    def _rows(self, text: StyledText) -> None:
        for row in text.wrapped(self._room()):
            self._emit(row)

    def _paragraph(self, token: Token) -> None:
        pieces = inline_pieces(token, self._palette, self._base)
        at_start = bool(self._lists) and bool(self._levels) and not self._levels[-1].used
        if at_start and pieces and pieces[0][0][:4] in ("[ ] ", "[x] ", "[X] "):
            text, style = pieces[0]
            pieces[0] = (("☐ " if text[1] == " " else "☑ ") + text[4:], style)
        self._rows(StyledText.of(pieces) if pieces else StyledText("", [(0, self._blank)]))

    def _code(self, code: str, language: str) -> None:
        style = self._palette.style
        pieces = [(text, style(name)) for text, name in highlighted(code.removesuffix("\n"), language)]
        bar = ("┊ ", style("faint"))
        text = (
            StyledText.of(pieces) if any(piece for piece, _ in pieces) else StyledText("", [(0, self._blank)])
        )
        for row in text.folded(self._room() - 2):
            self._emit([bar, *row])

    def _table(self, tokens: list[Token], index: int) -> int:
        end = index
        while tokens[end].type != "table_close":
            end += 1
        self._separate()
        for row in table_rows(tokens[index + 1 : end], self._room(), self._palette):
            self._emit(row)
        self._gap = True
        return end + 1
