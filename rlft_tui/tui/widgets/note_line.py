"""The line in which a note is written, on screens whose keys mean something else."""

from __future__ import annotations

from textual.widgets import Input


class NoteLine(Input):
    """What is typed behind its Enter is no part of it, however fast: see ``tui/keys_at_once.py``."""

    def __init__(self) -> None:
        super().__init__(id="note", compact=True, placeholder="Why? Enter keeps it, Escape leaves it")
        self.cursor_blink = False
