"""A few choices side by side in one line; left and right change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


def line_width(labels: Sequence[str]) -> int:
    """Cells that the labels need side by side."""
    return sum(cell_len(label) + 2 for label in labels)


class ChoiceLine(Widget, can_focus=True):
    """All choices at once, the chosen one marked; those around it where not all fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "choose", show=False, id="choice.left", tooltip="Choice to the left"),
        Binding("right,space", "move(1)", "choose", show=False, id="choice.right", tooltip="Next choice"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"choice-line--chosen", "choice-line--here"}
    DEFAULT_CSS = """
    ChoiceLine { height: 1; color: $text-muted; }
    ChoiceLine > .choice-line--chosen { color: $text; background: $surface-lighten-1; text-style: bold; }
    ChoiceLine > .choice-line--here { color: $text; background: $primary; text-style: bold; }
    """

    @dataclass
    class Changed(Message):
        """Another choice was made by the person."""

        line: ChoiceLine
        value: str

        @property
        def control(self) -> ChoiceLine:
            return self.line

    def __init__(self, choices: Sequence[tuple[str, str]], value: str, *, id: str | None = None) -> None:
        """``choices``: label and value of each."""
        super().__init__(id=id)
        self._choices = tuple(choices)
        self._value = value
        self._places: list[tuple[int, int, str]] = []

    @property
    def value(self) -> str:
        return self._value

    def show(self, choices: Sequence[tuple[str, str]], value: str) -> None:
        """Other choices; nothing is announced."""
        if (tuple(choices), value) != (self._choices, self._value):
            self._choices, self._value = tuple(choices), value
            self.refresh()

    def action_move(self, by: int) -> None:
        values = [value for _, value in self._choices]
        at = values.index(self._value) if self._value in values else -1
        self._choose(values[(at + by) % len(values)])

    def on_click(self, event: events.Click) -> None:
        for start, end, value in self._places:
            if start <= event.x < end:
                self._choose(value)

    def _choose(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Changed(self, value))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render(self) -> Content:
        chosen = self.get_visual_style("choice-line--here" if self.has_focus else "choice-line--chosen")
        labels = [f" {label} " for label, _ in self._choices]
        values = [value for _, value in self._choices]
        at = values.index(self._value) if self._value in values else 0
        first = 0
        while first < at and line_width(labels[first : at + 1]) - 2 * (at + 1 - first) > self.size.width - 1:
            first += 1
        line = Content("‹" if first else "")
        self._places = []
        for label, value in list(zip(labels, values, strict=True))[first:]:
            start = line.cell_length
            line += Content.styled(label, chosen) if value == self._value else Content(label)
            self._places.append((start, line.cell_length, value))
        return line
