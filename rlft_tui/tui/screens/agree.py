"""A question that y answers, with what it would do above it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from rlft_tui.tui import run_text
from rlft_tui.tui.screens.answer_dialog import AnswerDialog


class AgreeScreen(AnswerDialog):
    """Gives back whether it was agreed to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", "yes", id="agree.yes", tooltip="Do it"),
        Binding("escape,n,q", "leave", "back", id="agree.back", tooltip="Do nothing"),
    ]
    DEFAULT_CSS = "AgreeScreen > Vertical { max-width: 90; }"

    def __init__(self, lines: Iterable[str], *, title: str, agree: str) -> None:
        """``agree``: such as ``y promotes``; empty when it cannot be done, and only the reason is told."""
        text = Content("\n").join([Content(run_text.plain(line)) for line in lines])
        super().__init__(text, title=title, agree=agree, back="esc back")
