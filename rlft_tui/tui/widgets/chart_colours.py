"""Colours and marks of a chart's lines: apart for every kind of colour vision, and without colour."""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style
from textual.color import Color

from rlft_tui.tui.widgets.palette import Palette

DARK_LINES = ("#56b4e9", "#e69f00", "#2ac79a", "#cc79a7", "#f0e442", "#ff8a5c")
"""Okabe and Ito's colour-blind safe colours, brightened for dark grounds."""

LIGHT_LINES = ("#0072b2", "#b35c00", "#007a5a", "#a0447e", "#6f6600", "#c0390b")
ANSI_LINES = ("bright_blue", "yellow", "green", "magenta", "cyan", "red")

_MARKS = "●▲■◆▼★"

MOST_LINES = 24
"""Lines that one chart draws; colour and mark together name each of them."""


def line_mark(number: int) -> str:
    """A line's mark in legends; the sixth line after it has the same colour and another mark."""
    return _MARKS[(number + number // len(_MARKS)) % len(_MARKS)]


@lru_cache(maxsize=128)
def line_style(colours: Palette, number: int) -> Style:
    """The style of a chart's line: also for lists that name the lines."""
    names = ANSI_LINES if colours.ansi else DARK_LINES if colours.dark else LIGHT_LINES
    return Style(color=names[number % len(names)], bgcolor=colours.background)


@lru_cache(maxsize=128)
def band_style(colours: Palette, number: int) -> Style:
    """The band's dots: a line's colour half faded into the background, on ``band_ground``."""
    if colours.ansi:
        return Style(color="bright_black", bgcolor="default")
    return Style(color=_faded(colours, number, 0.4).rich_color, bgcolor=band_ground(colours, number))


@lru_cache(maxsize=16)
def raw_style(colours: Palette) -> Style:
    """What smoothing took away from the first line."""
    faded = "bright_black" if colours.ansi else _faded(colours, 0, 0.5).hex
    return Style(color=faded, bgcolor=colours.background)


@lru_cache(maxsize=128)
def band_ground(colours: Palette, number: int) -> str:
    """Background of the band, also where the line runs through it."""
    return "default" if colours.ansi else _faded(colours, number, 0.14).hex


def _faded(colours: Palette, number: int, share: float) -> Color:
    names = DARK_LINES if colours.dark else LIGHT_LINES
    return Color.parse(colours.background).blend(Color.parse(names[number % len(names)]), share)
