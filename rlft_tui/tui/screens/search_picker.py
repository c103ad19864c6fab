"""A search line over a list: what every picker is made of."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import Input

from rlft_tui.tui.list_pane import ListPane


class SearchPicker(ModalScreen[ScreenResultType]):
    """Type to search, arrows to move. A picker adds its keys, its rows, and how wide it is at most."""

    PLACEHOLDER: ClassVar[str]
    """What the empty search line says."""
    EMPTY: ClassVar[str] = "none matches"
    """What the list says until it has rows."""
    DEFAULT_CSS = """
    SearchPicker { align: center middle; }
    SearchPicker > Vertical { width: 90%; height: 80%; background: $panel; padding: 0 1; }
    SearchPicker Input { margin-bottom: 1; }
    """

    @abstractmethod
    def search(self, text: str) -> None:
        """Show what the text of the search line finds."""

    @property
    def key(self) -> str | None:
        """Key of the row under the cursor."""
        return self.query_one(ListPane).key

    def compose(self) -> ComposeResult:
        with Vertical():
            box = Input(placeholder=self.PLACEHOLDER, compact=True)
            box.cursor_blink = False
            yield box
            yield ListPane(empty=self.EMPTY)

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))
        self.search_again()

    @on(Input.Changed)
    def search_again(self) -> None:
        """Show the rows once more: the text was changed, or what they say."""
        self.search(self.query_one(Input).value)

    def action_move(self, by: int) -> None:
        self.query_one(ListPane).action_move(by)
