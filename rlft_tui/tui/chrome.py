"""The two lines every screen has: where one is (top) and what the keys do (bottom)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from rlft_tui.tui.screen_registry import SCREENS

KEY_NAMES = {
    "question_mark": "?", "space": "space", "enter": "⏎", "escape": "esc", "pageup": "pgup",
    "pagedown": "pgdn", "slash": "/", "left": "←", "right": "→", "up": "↑", "down": "↓", "equals_sign": "=",
    "left_square_bracket": "[", "right_square_bracket": "]", "plus": "+", "minus": "-", "full_stop": ".",
    "comma": ",", "tab": "tab", "shift+tab": "⇧tab", "home": "home", "end": "end", "colon": ":",
    "less_than_sign": "<", "greater_than_sign": ">", "exclamation_mark": "!",
    "number_sign": "#",
}  # fmt: skip


def key_name(key: str) -> str:
    """How a key is written on screen: ``^q`` for ctrl+q."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key_name(key.removeprefix("ctrl+"))
    if key.startswith("f") and key[1:].isdigit():
        return key.upper()
    return key


def _character(key: str) -> str | None:
    """What a key writes, if anything."""
    return "?" if key == "question_mark" else key if len(key) == 1 else None


class _Bar(Widget):
    """One line with parts that can be clicked, drawn without the underline of links."""

    def __init__(self) -> None:
        super().__init__()
        self._targets: list[tuple[int, int, str]] = []
        """First cell, cell after the last, and action of each part."""

    async def on_click(self, event: events.Click) -> None:
        for start, end, action in self._targets:
            if start <= event.x < end:
                await self.run_action(action)


class TopBar(_Bar):
    """Screens with their keys on the left, workspace and connection on the right."""

    DEFAULT_CSS = """
    TopBar { height: 1; dock: top; background: $panel; color: $text-muted; }
    TopBar > .top-bar--here { color: $text; background: $surface; text-style: bold; }
    TopBar > .top-bar--notice { color: $text-warning; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"top-bar--here", "top-bar--notice"}

    notice: reactive[str] = reactive("")
    """Says what is wrong with the connection; empty when all is well."""

    def __init__(self, here: str, place: str, *, leader: bool) -> None:
        super().__init__()
        self._here = here
        self._place = place
        self._leader = leader

    def render(self) -> Content:
        here = self.get_visual_style("top-bar--here")
        width = self.size.width
        lead = " g " if self._leader else ""
        full = len(lead) + sum(len(entry.title) + 4 for entry in SCREENS.values() if entry.digit)
        left = Content.styled(lead, "dim")
        self._targets = []
        for key, entry in SCREENS.items():
            if not entry.digit:
                continue
            named = key == self._here or full <= width
            title = f" {entry.digit} {entry.title} " if named else f" {entry.digit} "
            start = left.cell_length
            left += Content.styled(title, here) if key == self._here else Content(title)
            self._targets.append((start, left.cell_length, f"app.show_screen('{key}')"))
        right = self.notice or self._place
        room = width - left.cell_length - 2
        if self.notice and room < len(right):
            left = Content.styled(f" {SCREENS[self._here].title} ", here)
            room = width - left.cell_length - 2
        if room < 6:
            return left
        if cell_len(right) > room:
            right = right.rpartition(" · ")[2]  # the labeller matters more than the folder
        right = right if cell_len(right) <= room else right[: room - 1] + "…"
        tail = (
            Content.styled(right, self.get_visual_style("top-bar--notice")) if self.notice else Content(right)
        )
        return left + Content(" " * max(1, width - left.cell_length - tail.cell_length - 1)) + tail


class KeyBar(_Bar):
    """The keys of the screen, most useful first, as many as fit; the one for help is always there."""

    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; background: $panel; color: $text-muted; }
    KeyBar > .key-bar--key { color: $text-accent; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key"}

    hint: reactive[str] = reactive("")
    """Shown in place of the keys while the next key has a special meaning."""

    def __init__(self, names: Callable[[str], bool] = lambda _: True) -> None:
        """``names``: whether a key's action is named now; its key works either way."""
        super().__init__()
        self._names = names

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look_again())
        self._shown: tuple[tuple[str, str, str], ...] = ()
        self._help = ""

    def _look_again(self) -> None:
        if self._keys() != self._shown or self._help_key() != self._help:
            self.refresh()

    def _help_key(self) -> str:
        """The first key that opens the help here: where a text is written, ? is a part of it."""
        keys = [key for key, each in self.screen.active_bindings.items() if each.binding.action == "help"]
        typed = self.screen.focused
        free = [key for key in keys if typed is None or not typed.check_consume_key(key, _character(key))]
        return next(iter((*free, *keys)), "question_mark")

    def _keys(self) -> tuple[tuple[str, str, str], ...]:
        """Key, description and action of the bindings to show, one entry an action."""
        keys: dict[str, tuple[str, str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding: Binding = active.binding
            if not binding.show or not active.enabled or not self._names(binding.action.partition("(")[0]):
                continue
            namespace = "app" if active.node is self.app else "screen"
            action = (
                binding.action if "." in binding.action.split("(")[0] else f"{namespace}.{binding.action}"
            )
            if action in keys:
                first = keys[action]
                keys[action] = (f"{first[0]}/{key_name(binding.key)}", first[1], action)
            else:
                keys[action] = (binding.key_display or key_name(binding.key), binding.description, action)
        return tuple(keys.values())

    def render(self) -> Content:
        key_style = self.get_visual_style("key-bar--key")
        if self.hint:
            return Content.styled(f" {self.hint}", key_style)
        self._shown = self._keys()
        entries = [entry for entry in self._shown if entry[2] != "app.help"]
        self._help = self._help_key()
        last = Content.assemble((f" {key_name(self._help)}", key_style), " help ")
        room = self.size.width - last.cell_length
        line = Content("")
        self._targets = []
        for key, description, action in entries:
            entry = Content.assemble((f" {key}", key_style), f" {description} ")
            if line.cell_length + entry.cell_length > room:
                break
            self._targets.append((line.cell_length, line.cell_length + entry.cell_length, action))
            line += entry
        self._targets.append((line.cell_length, line.cell_length + last.cell_length, "app.help"))
        return line + last

    def on_resize(self, _: events.Resize) -> None:
        self.refresh()
