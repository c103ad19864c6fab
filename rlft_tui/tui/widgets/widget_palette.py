"""The palette that fits a widget's colours and the app's theme."""

from __future__ import annotations

from textual.color import Color
from textual.widget import Widget

from rlft_tui.tui.widgets.palette import Palette, palette


def palette_of(widget: Widget) -> Palette:
    """Text styles on the widget's own background; ANSI names where the app leaves colours to the terminal."""
    _, _, background, foreground = widget.colors
    if widget.app.native_ansi_color:
        return palette("default", "default", widget.app.current_theme.dark, True)
    return palette(_hex(foreground), _hex(background), widget.app.current_theme.dark)


def _hex(colour: Color) -> str:
    return f"#{colour.r:02x}{colour.g:02x}{colour.b:02x}"
