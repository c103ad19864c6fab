"""What the check of the data found before a launch: errors stop it, warnings need a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from rlft_tui.tui import run_text

if TYPE_CHECKING:
    from rlft_tui.datasets.dataset import DatasetCheck


class ProofScreen(ModalScreen[bool]):
    """Gives back whether to launch all the same."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "launch", "launch", id="proof.launch", tooltip="Launch in spite of the warnings"),
        Binding("escape,n,q", "leave", "back", id="proof.back", tooltip="Back to the form"),
    ]
    DEFAULT_CSS = """
    ProofScreen { align: center middle; background: $background 60%; }
    ProofScreen > Vertical {
        width: 90%; max-width: 100; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 1 2;
    }
    ProofScreen VerticalScroll { height: auto; max-height: 100%; }
    ProofScreen Static { height: auto; }
    """

    def __init__(self, found: DatasetCheck) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        stops = bool(self._found.errors)
        with Vertical() as box:
            box.border_title = "Cannot be launched" if stops else "Launch with this?"
            box.border_subtitle = "esc back to the form" if stops else "y launch · esc back to the form"
            with VerticalScroll():
                yield Static(self._text())

    def _text(self) -> Content:
        marks = [("✗ ", "bold $text-error", line) for line in self._found.errors]
        marks += [("! ", "bold $text-warning", line) for line in self._found.warnings]
        lines = [Content.assemble((mark, style), run_text.plain(line)) for mark, style, line in marks]
        return Content("\n").join(lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self._found.errors if action == "launch" else super().check_action(action, parameters)

    def action_launch(self) -> None:
        self.dismiss(True)

    def action_leave(self) -> None:
        self.dismiss(False)
