"""The form of Compare: which models answer, and how each is to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Select, Static

from rlft_tui.server.answers import MOST_SIDES
from rlft_tui.tui import run_text
from rlft_tui.tui.comparison_sides import DEFAULTS, FEWEST_SIDES, SETTINGS, WORDS, SideText

OTHER = "\x00other"
"""Value of the entry by which a name that is not in the list is typed."""
NARROW = 76
"""Columns under which the settings give room to the models' names."""
Names = tuple[str | None, ...]


class CompareForm(Vertical):
    """A row a side; an empty setting is the first row's. There is always one row more than models."""

    DEFAULT_CSS = """
    CompareForm { height: auto; }
    CompareForm Horizontal { height: 1; }
    CompareForm .heads Static, CompareForm .number { color: $text-muted; }
    CompareForm .number { width: 3; padding-left: 1; }
    CompareForm .name { width: 1fr; }
    CompareForm Select { width: 1fr; }
    CompareForm .setting { width: 11; margin-left: 1; }
    CompareForm.-narrow .setting { width: 7; }
    CompareForm #system { width: 1fr; margin-right: 1; }
    CompareForm .label { width: 9; padding-left: 1; color: $text-muted; }
    """

    # With priority it moves on before the next key is given to a field: people type ahead.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "screen.focus_next_pane", "next", show=False, priority=True, id="compare.field",
                tooltip="Next field"),
        Binding("shift+tab", "app.focus_previous", "previous", show=False, priority=True,
                id="compare.field_before", tooltip="Field before"),
    ]  # fmt: skip

    class Changed(Message):
        """A model was chosen, or none any more."""

    class NameWanted(Message):
        """A name that is not in the list is to be typed for this row."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    class Submitted(Message):
        """Enter was pressed in a field."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.count = 0
        """Rows that have a model."""
        self._options: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        with Horizontal(classes="heads"):
            yield Static("", classes="number")
            yield Static("model", classes="name", markup=False)
            for name in SETTINGS:
                yield Static(WORDS[name], classes="setting", markup=False)
        for row in range(MOST_SIDES):
            with Horizontal(classes="row", id=f"row-{row}"):
                yield Static(str(row + 1), classes="number", markup=False)
                words = "model" if row < FEWEST_SIDES else "one more model"
                yield Select[str]((), compact=True, prompt=words, id=f"model-{row}")
                for name in SETTINGS:
                    start, usual = (DEFAULTS[name], "") if row == 0 else ("", DEFAULTS[name])
                    box = Input(start, placeholder=usual, compact=True, id=_id(name, row), classes="setting")
                    box.cursor_blink = False
                    yield box
        with Horizontal():
            yield Static("system", classes="label", markup=False)
            system = Input(
                placeholder="system prompt of all; empty: the model's own", compact=True, id="system"
            )
            system.cursor_blink = False
            yield system

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")

    def on_mount(self) -> None:
        self._show_rows()
        self._inherit()

    # what is in it
    @property
    def chosen(self) -> Names:
        """The model of each row, None where none is chosen."""
        values = [self.query_one(f"#model-{row}", Select).value for row in range(MOST_SIDES)]
        return tuple(None if value in (Select.NULL, OTHER) else str(value) for value in values)

    def rows(self) -> list[SideText]:
        """The rows that have a model."""
        return [
            SideText(name, {setting: self._box(setting, row).value for setting in SETTINGS})
            for row, name in enumerate(self.chosen)
            if name is not None
        ]

    @property
    def system(self) -> str:
        return self.query_one("#system", Input).value.strip()

    # filling it
    def offer(self, names: Sequence[str], chosen: Names) -> None:
        """The models there are, and those of the rows; one that is not there is no longer chosen."""
        self._options = [(run_text.plain(name), name) for name in names]
        options = [*self._options, ("another name …", OTHER)] if names else []
        for row in range(MOST_SIDES):
            box = self.query_one(f"#model-{row}", Select)
            with self.prevent(Select.Changed):
                if list(box._options[1:]) != options:
                    box.set_options(options)
                name = chosen[row] if row < len(chosen) else None
                if name in names:
                    box.value = name
                else:
                    box.clear()
        self._show_rows()

    def new_seeds(self) -> None:
        """Every seed that stands here counts one on."""
        for row in range(MOST_SIDES):
            box = self._box("seed", row)
            if box.value.strip().lstrip("-").isdecimal():
                box.value = str(int(box.value) + 1)

    def _show_rows(self) -> None:
        """The rows with a model, and one more."""
        chosen = self.chosen
        self.count = sum(name is not None for name in chosen)
        last = max((row for row, name in enumerate(chosen) if name is not None), default=-1)
        for row in range(MOST_SIDES):
            self.query_one(f"#row-{row}").display = row <= max(last + 1, FEWEST_SIDES - 1)

    def _inherit(self) -> None:
        """The empty settings show what holds for them."""
        for name in SETTINGS:
            first = self._box(name, 0).value.strip() or DEFAULTS[name]
            for row in range(1, MOST_SIDES):
                self._box(name, row).placeholder = f"from {first}" if name == "seed" else first

    def _box(self, setting: str, row: int) -> Input:
        return self.query_one(f"#{_id(setting, row)}", Input)

    @on(Select.Changed)
    def _chose(self, event: Select.Changed) -> None:
        event.stop()
        if event.value == OTHER:
            row = int(str(event.select.id).rpartition("-")[2])
            with self.prevent(Select.Changed):
                event.select.clear()
            self.post_message(self.NameWanted(row))
            return
        self._show_rows()
        self.post_message(self.Changed())

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._inherit()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted())


def _id(setting: str, row: int) -> str:
    return f"{setting.replace('_', '-')}-{row}"
