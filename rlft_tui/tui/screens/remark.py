"""One line to be typed: a note, or tags."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class RemarkScreen(ModalScreen[str | None]):
    """Gives back the text, or nothing when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="remark.back", tooltip="Change nothing"),
        Binding("enter", "keep", "keep", id="remark.keep", tooltip="Keep it"),
    ]
    DEFAULT_CSS = """
    RemarkScreen { align: center middle; background: $background 60%; }
    RemarkScreen > Vertical {
        width: 76; max-width: 96%; height: auto; background: $surface; border: round $primary; padding: 1 2;
    }
    RemarkScreen Static { height: auto; color: $text-muted; }
    RemarkScreen Input { border: none; height: 1; background: $boost; padding: 0 1; }
    """

    def __init__(self, title: str, text: str, hint: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)  # a name in it is no markup
            box.border_subtitle = "enter keeps · esc leaves"
            # With a blank behind it, so that what is typed is another word.
            yield Input(f"{self._text} " if self._text else "", compact=True, select_on_focus=False)
            yield Static(self._hint, markup=False)

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.cursor_blink = False
        self.set_focus(field)

    @on(Input.Submitted)
    def action_keep(self) -> None:
        self.dismiss(self.query_one(Input).value.strip())

    def action_leave(self) -> None:
        self.dismiss(None)
