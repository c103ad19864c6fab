"""The keys of the screen underneath, all of them."""

from __future__ import annotations

import textwrap
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from rlft_tui.tui.chrome import key_name

KEY_CELLS = 11
WIDEST = 100
AROUND = 5
"""Border, padding and scroll bar of the box."""


class HelpScreen(ModalScreen[None]):
    """Every action of the screen, its key and its id in the key map; what cannot be done now comes last."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f12", "dismiss_help", "close", id="help.close", tooltip="Close"),
        Binding("j", "scroll(1)", "down", show=False, id="help.down", tooltip="Line down"),
        Binding("k", "scroll(-1)", "up", show=False, id="help.up", tooltip="Line up"),
        Binding("ctrl+q", "app.quit", "leave", show=False, id="help.quit", tooltip="Leave the workbench"),
    ]

    def __init__(self, under: Screen[Any]) -> None:
        super().__init__()
        self._under = under
        self._digits_switch = getattr(under, "DIGITS_SWITCH", True)
        # read now: with this screen on top the actions underneath are switched off
        self._listed = list(under.active_bindings.values())
        can = {active.binding.id for active in self._listed}
        self._idle = [
            binding
            for node, bindings in under._modal_binding_chain
            if node is under
            for _, binding in bindings
            if binding.id not in can
        ]
        """Keys of the screen itself whose actions cannot be done at the moment."""

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = f"Keys · {getattr(self._under, 'KEY', '')}"
            box.border_subtitle = "esc closes · ^p finds these by name"
            yield Static()

    def on_resize(self, event: events.Resize) -> None:
        width = min(WIDEST, event.size.width * 96 // 100)
        self.query_one(VerticalScroll).styles.width = width
        self.query_one(Static).update(self._text(width - AROUND))

    def _text(self, width: int) -> Content:
        """Key, what it does and id, in three columns: the screen's own keys, moving about, everywhere."""
        about = getattr(self._under, "HELP", "")
        lines: list[Content] = [Content(about)] if about else []
        groups, idle = self._groups(), self._idle_rows()
        names = max((len(name) for rows in (*groups, idle) for _, _, name in rows), default=0)
        room = max(16, width - KEY_CELLS - names - 4)
        for rows in (*groups, idle):
            if not rows:
                continue
            lines += [Content(""), *([Content.styled("Not now:", "dim")] if rows is idle else [])]
            for keys, text, name in rows:
                first, *rest = textwrap.wrap(text, room) or [""]
                key = (f"{keys:>{KEY_CELLS}}", "dim" if rows is idle else "$text-accent bold")
                lines.append(Content.assemble(key, f"  {first:<{room}}  ", (name, "dim")))
                lines += [Content(" " * (KEY_CELLS + 2) + line) for line in rest]
        lines += [Content(""), Content('Change a key in rlft.toml, under [keymap]: "label.skip" = "x"')]
        return Content("\n").join(lines)

    def _groups(self) -> list[list[tuple[str, str, str]]]:
        """Keys, what they do and id of every action; groups that are empty are left out."""
        keys: dict[str, list[str]] = {}
        texts: dict[str, str] = {}
        groups: tuple[list[str], ...] = ([], [], [])
        for active in self._listed:
            binding = active.binding
            if binding.id is None or binding.system:
                continue
            if binding.key.isdigit() and active.node is self.app and not self._digits_switch:
                continue
            if binding.id not in keys:
                everywhere = binding.id.startswith("app.")
                groups[2 if everywhere else 0 if active.node is self._under else 1].append(binding.id)
            texts.setdefault(binding.id, binding.tooltip or binding.description)
            keys.setdefault(binding.id, []).append(key_name(binding.key))
        return [[(" ".join(keys[name]), texts[name], name) for name in group] for group in groups if group]

    def _idle_rows(self) -> list[tuple[str, str, str]]:
        keys: dict[str, list[str]] = {}
        texts: dict[str, str] = {}
        for binding in self._idle:
            if binding.id is not None and not binding.system:
                texts.setdefault(binding.id, binding.tooltip or binding.description)
                keys.setdefault(binding.id, []).append(key_name(binding.key))
        return [(" ".join(named), texts[name], name) for name, named in keys.items()]

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_dismiss_help(self) -> None:
        self.dismiss(None)
