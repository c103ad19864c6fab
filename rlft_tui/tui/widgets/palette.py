"""The styles of rendered text: one set for dark, one for light and one for plain ANSI terminals.

Every style has a foreground and a background, so that no segment ever has the style
None (Textual crashes on that under NO_COLOR) and no cell lets another widget through.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from rich.style import Style

STRONG, EMPHASIS, STRIKE, CODE, LINK, FAINT, MATHS, UNDERLINE, REVERSE = 1, 2, 4, 8, 16, 32, 64, 128, 256
"""Inline marks; add them up."""

_DARK = {
    "faint": "#8b93a1",
    "heading": "#7fd1ff",
    "code": "#ffd479",
    "link": "#8ab4ff",
    "quote": "#b9c0cc",
    "maths": "#c8b6ff",
    "bullet": "#7fd1ff",
    "keyword": "#ff9d6f",
    "name": "#8ad4ff",
    "string": "#b5d98b",
    "number": "#d8b4ff",
    "comment": "#8b93a1",
}
_LIGHT = {
    "faint": "#5c6370",
    "heading": "#005a9c",
    "code": "#8a4b00",
    "link": "#1a4fb4",
    "quote": "#444a55",
    "maths": "#5b2fa8",
    "bullet": "#005a9c",
    "keyword": "#a33b00",
    "name": "#005f87",
    "string": "#38701a",
    "number": "#6b2fb3",
    "comment": "#5c6370",
}
_ANSI = {
    "faint": "bright_black",
    "heading": "cyan",
    "code": "yellow",
    "link": "blue",
    "quote": "default",
    "maths": "magenta",
    "bullet": "cyan",
    "keyword": "red",
    "name": "cyan",
    "string": "green",
    "number": "magenta",
    "comment": "bright_black",
}


@dataclass(frozen=True, slots=True)
class Palette:
    """Named styles on one background."""

    foreground: str
    background: str
    dark: bool
    ansi: bool
    _styles: dict[tuple[str, int], Style] = field(default_factory=dict, compare=False, repr=False)

    def style(self, name: str = "text", marks: int = 0) -> Style:
        """The style called ``name`` (text, heading1…6, code, keyword …) with inline marks."""
        style = self._styles.get((name, marks))
        if style is None:
            style = self._styles[name, marks] = self._made(name, marks)
        return style

    def _made(self, name: str, marks: int) -> Style:
        colours = _ANSI if self.ansi else _DARK if self.dark else _LIGHT
        heading = name.startswith("heading")
        colour = colours.get("heading" if heading else name, self.foreground)
        for mark, key in ((CODE, "code"), (LINK, "link"), (MATHS, "maths"), (FAINT, "faint")):
            if marks & mark:
                colour = colours[key]
        return Style(
            color=colour,
            bgcolor=self.background,
            bold=bool(marks & STRONG) or heading or name == "header" or None,
            italic=bool(marks & EMPHASIS) or name in ("quote", "comment", "heading4") or None,
            underline=bool(marks & (LINK | UNDERLINE)) or name == "heading1" or None,
            strike=bool(marks & STRIKE) or None,
            reverse=bool(marks & REVERSE) or None,
        )


@lru_cache(maxsize=16)
def palette(foreground: str, background: str, dark: bool, ansi: bool = False) -> Palette:
    """The palette for a foreground and background (``#rrggbb``, or ``default`` with ``ansi``)."""
    return Palette(foreground, background, dark, ansi)
