"""Pictures of the screens: an SVG with a monospaced font that a renderer finds by name."""

from __future__ import annotations

import re

from textual.app import App

FONT = "DejaVu Sans Mono"


def svg_of(app: App[object], title: str = "") -> str:
    """The screen as it is now, as SVG with FONT in place of the font from the web."""
    svg = app.export_screenshot(title=title)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family:\s*Fira Code[^;]*;", f"font-family: '{FONT}', monospace;", svg)


def png_of(svg: str, *, width: int = 1600) -> bytes:
    """An SVG rendered as a PNG of ``width`` pixels; needs the resvg-py of the dev extra."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=width))
