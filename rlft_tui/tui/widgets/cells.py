"""Text measured in terminal cells, and broken into lines of at most so many.

Widths are those of rich (and so of Textual), character by character; they add up
because ``harmless`` has removed what only has a width in company.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category

from rich.cells import get_character_cell_size

_DOUBTFUL = frozenset({"Mn", "Mc", "Me", "Cf", "Cn", "Co"})
_widths: dict[str, int] = {}
_NO_LINE_START = frozenset("、。，．・：；？！）］｝〉》」』】〕ー々ゝ!?,.:;)]}")


def char_width(character: str) -> int:
    """Cells of one character: 0, 1 or 2."""
    width = _widths.get(character)
    if width is None:
        if len(_widths) > 20_000:
            _widths.clear()
        width = _widths[character] = get_character_cell_size(character)
    return width


def is_doubtful(text: str) -> bool:
    """Whether terminals may disagree on its cells: marks, joiners, and what Unicode has not named."""
    return not text.isascii() and _has_doubtful(text)


@lru_cache(maxsize=4096)
def _has_doubtful(text: str) -> bool:
    return any(category(character) in _DOUBTFUL for character in set(text))


def cell_width(text: str) -> int:
    """Cells of the text."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text padded or cut (with …) to exactly ``width`` cells."""
    have = cell_width(text)
    if have > width:
        text = cut(text, width - 1) + "…" if width > 0 else ""
        have = cell_width(text)
    pad = " " * (width - have)
    return pad + text if right else text + pad


def cut(text: str, width: int) -> str:
    """The longest beginning of the text that fits into ``width`` cells."""
    if text.isascii():
        return text[: max(0, width)]
    used = 0
    for index, character in enumerate(text):
        used += char_width(character)
        if used > width:
            return text[:index]
    return text


def break_lines(text: str, width: int) -> list[tuple[int, int]]:
    """Where to break a paragraph: (start, end) of each line, spaces at the breaks left out.

    Breaks at spaces, between wide characters, and inside words only where a word is
    longer than a line. Line feeds always break. ``width`` is at least 2.
    """
    width = max(2, width)
    lines: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        if line.isascii():
            _break_ascii(text, start, end, width, lines)
        else:
            _break_mixed(text, start, end, width, lines)
        start = end + 1
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many cells, broken at spaces; at least one."""
    return [text[start:end] for start, end in break_lines(text, width)] or [""]


def _break_ascii(text: str, start: int, end: int, width: int, lines: list[tuple[int, int]]) -> None:
    while end - start > width:
        space = text.rfind(" ", start, start + width + 1)
        stop = space
        while stop > start and text[stop - 1] == " ":
            stop -= 1
        if stop > start:
            lines.append((start, stop))
            start = space + 1
            while start < end and text[start] == " ":
                start += 1
        else:
            lines.append((start, start + width))
            start += width
    lines.append((start, end))


def _break_mixed(text: str, start: int, end: int, width: int, lines: list[tuple[int, int]]) -> None:
    used = 0
    """Cells in the line so far."""
    stop = resume = -1
    """Last place to break: the line's end, and the next line's start."""
    after_break = 0
    """Cells from ``resume`` to here."""
    wide_before = False
    index = start
    while index < end:
        character = text[index]
        cells = char_width(character)
        if character == " ":
            if index > start and text[index - 1] != " ":
                stop = index
            resume = index + 1
            after_break = -1
        elif (
            (cells == 2 or (wide_before and cells))
            and index > start
            and text[index - 1] != " "
            and character not in _NO_LINE_START
        ):
            stop = resume = index
            after_break = 0
        if cells:
            wide_before = cells == 2
        if used + cells > width and character != " ":
            if stop > start:
                lines.append((start, stop))
                start, used = resume, after_break
            if used + cells > width:
                stop = index
                while stop > start and text[stop - 1] == " ":
                    stop -= 1
                lines.append((start, stop))
                start, used = index, 0
            stop = resume = -1
        used += cells
        after_break += cells
        index += 1
    while end > start and text[end - 1] == " " and used > width:
        end -= 1
        used -= 1
    lines.append((start, end))
