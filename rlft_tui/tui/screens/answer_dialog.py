"""A text over the screen that is answered with one key, or left."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class AnswerDialog(ModalScreen[bool]):
    """Gives back whether it was agreed to. A dialog adds its keys and how wide it is at most."""

    DEFAULT_CSS = """
    AnswerDialog { align: center middle; background: $background 60%; }
    AnswerDialog > Vertical {
        width: 90%; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 1 2;
    }
    AnswerDialog VerticalScroll { height: auto; max-height: 100%; }
    AnswerDialog Static { height: auto; }
    """

    def __init__(self, text: Content, *, title: str, agree: str, back: str = "esc back to the form") -> None:
        """``agree``: key and word of what can be agreed to; empty when there is only the way back."""
        super().__init__()
        self._back = back
        self._text = text
        self._title = title
        self._agree = agree

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)  # a name in it is no markup
            box.border_subtitle = " · ".join(filter(None, (self._agree, self._back)))
            with VerticalScroll():
                yield Static(self._text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self._agree) if action == "agree" else super().check_action(action, parameters)

    def action_agree(self) -> None:
        self.dismiss(True)

    def action_leave(self) -> None:
        self.dismiss(False)
