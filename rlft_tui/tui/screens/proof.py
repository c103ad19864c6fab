"""What the check of the data found before a launch: errors stop it, warnings need a yes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from rlft_tui.tui import run_text
from rlft_tui.tui.screens.answer_dialog import AnswerDialog

if TYPE_CHECKING:
    from rlft_tui.datasets.dataset import DatasetCheck


class ProofScreen(AnswerDialog):
    """Gives back whether to launch all the same."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", "launch", id="proof.launch", tooltip="Launch in spite of the warnings"),
        Binding("escape,n,q", "leave", "back", id="proof.back", tooltip="Back to the form"),
    ]
    DEFAULT_CSS = "ProofScreen > Vertical { max-width: 100; }"

    def __init__(self, found: DatasetCheck) -> None:
        stops = bool(found.errors)
        super().__init__(
            Content("\n").join(_lines(found)),
            title="Cannot be launched" if stops else "Launch with this?",
            agree="" if stops else "y launch",
        )


def _lines(found: DatasetCheck) -> Iterator[Content]:
    for line in found.errors:
        yield Content.assemble(("✗ ", "bold $text-error"), run_text.plain(line))
    for line in found.warnings:
        yield Content.assemble(("! ", "bold $text-warning"), run_text.plain(line))
