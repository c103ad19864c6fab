"""The keys of the screen underneath, all of them."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from rlft_tui.tui.chrome import key_name


class HelpScreen(ModalScreen[None]):
    """Every action that can be done now, its key and its id in the key map."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 80; max-width: 96%; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss_help", "close", id="help.close", tooltip="Close"),
        Binding("ctrl+q", "app.quit", "leave", show=False, id="help.quit", tooltip="Leave the workbench"),
    ]

    def __init__(self, under: Screen[Any]) -> None:
        super().__init__()
        self._under = under
        # read now: with this screen on top the actions underneath are switched off
        self._listed = list(under.active_bindings.values())

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = f"Keys · {getattr(self._under, 'KEY', '')}"
            box.border_subtitle = "esc closes · ^p finds any action"
            yield Static(self._text())

    def _text(self) -> Content:
        about = getattr(self._under, "HELP", "")
        lines: list[Content] = [Content(about), Content("")] if about else []
        rows: dict[str, tuple[list[str], str, str, bool]] = {}
        for active in self._listed:
            binding = active.binding
            if binding.id is None or binding.system:
                continue
            text = binding.tooltip or binding.description
            row = rows.setdefault(binding.id, ([], text, binding.id, active.node is self.app))
            row[0].append(key_name(binding.key))
        ordered = [row for row in rows.values() if not row[3]] + [row for row in rows.values() if row[3]]
        for keys, text, name, _ in ordered:
            key = " ".join(keys)
            parts = ((f"{key:>11}", "$text-accent bold"), f"  {text:<44}  ", (name, "dim"))
            lines.append(Content.assemble(*parts))
        lines += [Content(""), Content('Change a key in rlft.toml, under [keymap]: "label.skip" = "x"')]
        return Content("\n").join(lines)

    def action_dismiss_help(self) -> None:
        self.dismiss(None)
