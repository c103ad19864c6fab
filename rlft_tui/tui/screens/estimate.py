"""What a dry run found: time, memory and disk of the whole run, before it is launched."""

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
    from rlft_tui.runs.estimate import Estimate

_NAME_WIDTH = 24


class EstimateScreen(ModalScreen[bool]):
    """Gives back whether to launch."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "launch", "launch", id="estimate.launch", tooltip="Launch the run"),
        Binding("escape,n,q", "leave", "back", id="estimate.back", tooltip="Back to the form"),
    ]
    DEFAULT_CSS = """
    EstimateScreen { align: center middle; background: $background 60%; }
    EstimateScreen > Vertical {
        width: 90%; max-width: 90; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 1 2;
    }
    EstimateScreen VerticalScroll { height: auto; max-height: 100%; }
    EstimateScreen Static { height: auto; }
    """

    def __init__(self, estimate: Estimate) -> None:
        super().__init__()
        self._estimate = estimate

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "The whole run would take"
            box.border_subtitle = "y launch · esc back to the form"
            with VerticalScroll():
                yield Static(self._text())

    def _text(self) -> Content:
        from rlft_tui.runs.estimate_text import estimate_lines

        lines = []
        for name, value in estimate_lines(self._estimate, run_text.duration):
            if name == "note":
                lines.append(Content.assemble(("! ", "bold $text-warning"), run_text.plain(value)))
            else:
                part = name.startswith(" ")
                style = "$text-muted" if part or name == "measured" else "bold"
                lines.append(Content.assemble((name.ljust(_NAME_WIDTH), "$text-muted"), (value, style)))
        return Content("\n").join(lines)

    def action_launch(self) -> None:
        self.dismiss(True)

    def action_leave(self) -> None:
        self.dismiss(False)
