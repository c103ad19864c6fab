"""Writing an answer that is better than both, below the answers themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.document._document import EditResult
from textual.document._edit import Edit
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Static, TextArea

from rlft_tui.errors import RlftError
from rlft_tui.tui.label_session import Shown

_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

REST_SECONDS = 0.3
"""How long no key was typed before what is written is kept as a draft."""
_JOINERS = ("\u200c", "\u200d")


def typed_text(text: str) -> str:
    """The text without what no one types: controls, invisible and order-changing characters."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n"))


class _Area(TextArea):
    """A text area into which nothing comes that a terminal would obey."""

    def on_key(self, event: events.Key) -> None:
        """Persian, Indic scripts and emoji are spelt with joiners, which Textual takes for no characters."""
        if event.character in _JOINERS:
            event.stop()
            event.prevent_default()
            self.insert(event.character)

    def edit(self, edit: Edit) -> EditResult:
        edit.text = typed_text(edit.text)
        return super().edit(edit)


class AnswerEditor(ModalScreen[tuple[bool, str]]):
    """Gives back whether the text is to be stored, and the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "store", priority=True, id="write.store", tooltip="Store it"),
        Binding("escape", "leave", "close", priority=True, id="write.close", tooltip="Keep it as a draft"),
        Binding(
            "ctrl+l", "insert('left')", "left", priority=True, id="write.left", tooltip="Insert the left"
        ),
        Binding("ctrl+r", "insert('right')", "right", priority=True, id="write.right", tooltip="The right"),
        Binding("ctrl+o", "outside", "$EDITOR", priority=True, id="write.outside", tooltip="In $EDITOR"),
        Binding("ctrl+q", "app.quit", "leave", show=False, priority=True, id="write.quit", tooltip="Leave"),
    ]
    DEFAULT_CSS = """
    AnswerEditor { align: center bottom; background: $background 0%; }
    AnswerEditor > Vertical { height: 55%; min-height: 8; background: $panel; border-top: heavy $primary; }
    AnswerEditor TextArea { height: 1fr; border: none; padding: 0 1; }
    AnswerEditor Static { height: 1; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, shown: Shown, text: str, draft: Callable[[str], None]) -> None:
        """``draft`` is given what is written whenever the keys rest, and keeps it."""
        super().__init__()
        self._draft = draft
        self._resting: Timer | None = None
        self._shown = shown
        self._text = typed_text(text)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("A better answer   ^s store   esc close, keeps the draft", markup=False)
            area = _Area(self._text, soft_wrap=True, show_line_numbers=False, compact=True)
            area.cursor_blink = False
            yield area
            yield Static("^l insert the left answer   ^r the right one   ^o $EDITOR", markup=False)

    def on_mount(self) -> None:
        area = self.query_one(_Area)
        self.set_focus(area)
        area.move_cursor(area.document.end)

    @on(TextArea.Changed)
    def _changed(self) -> None:
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_SECONDS, lambda: self._draft(self.query_one(_Area).text))

    def action_keep(self) -> None:
        text = self.query_one(_Area).text
        if text.strip():
            self.dismiss((True, text))
        else:
            self.notify("Nothing written yet", markup=False)

    def action_leave(self) -> None:
        self.dismiss((False, self.query_one(_Area).text))

    def action_insert(self, side: str) -> None:
        text = self._shown.left_text if side == "left" else self._shown.right_text
        self.query_one(_Area).insert(text)

    def action_outside(self) -> None:
        from rlft_tui.tui.app import RlftApp
        from rlft_tui.tui.outside_editor import edit_outside

        app = cast("RlftApp", self.app)
        area = self.query_one(_Area)
        try:
            text = edit_outside(app, area.text, self._shown)
        except RlftError as error:
            app.show_error(error)
        else:
            area.load_text(typed_text(text))
            area.move_cursor(area.document.end)
