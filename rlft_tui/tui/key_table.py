"""Keys written as tables: one row a binding."""

from __future__ import annotations

from collections.abc import Iterable

from textual.binding import Binding

KeyRow = tuple[str, str, str, str, str]
"""Keys, action, word in the key bar, id, tooltip."""


def bindings(rows: Iterable[KeyRow], *, show: bool = True) -> list[Binding]:
    """The rows as bindings; with ``show`` they stand in the key bar."""
    return [Binding(key, do, word, id=name, tooltip=tip, show=show) for key, do, word, name, tip in rows]


def reading_keys(screen: str) -> list[Binding]:
    """How one answer is read, without a place in the key bar."""
    rows: tuple[KeyRow, ...] = (
        ("v", "source", "source", f"{screen}.source", "Markdown and LaTeX as written; again: rendered"),
        ("space,pagedown", "page(1)", "page", f"{screen}.page_down", "A page down"),
        ("b,pageup", "page(-1)", "page up", f"{screen}.page_up", "A page up"),
        ("down,j", "rows(1)", "down", f"{screen}.down", "A line down"),
        ("up,k", "rows(-1)", "up", f"{screen}.up", "A line up"),
    )
    return bindings(rows, show=False)
