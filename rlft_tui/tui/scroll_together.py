"""Two panes that scroll together although their texts differ in length."""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.tui.widgets.text_pane import TextPane

FAR = 1_000
"""Rows from which a move goes to the start or the end, in each pane by itself."""


def scroll_together(panes: Sequence[TextPane], rows: int) -> None:
    """Scroll the longest text by ``rows``, and the others to the same share of theirs."""
    if len(panes) < 2 or abs(rows) >= FAR:
        for pane in panes:
            pane.scroll_lines(rows)
        return
    leader = max(panes, key=_room)
    leader.scroll_lines(rows)
    share = leader.top / max(1, _room(leader))
    for pane in panes:
        if pane is not leader:
            pane.scroll_to_row(round(min(1.0, share) * _room(pane)))


def _room(pane: TextPane) -> int:
    """Rows that can be scrolled by."""
    return max(0, pane.line_count - pane.size.height)
