"""The rows of the launch form: a label, what is typed or chosen, and one line about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Select, Static

from rlft_tui.tui.launch_labels import label
from rlft_tui.tui.widgets.choice_line import ChoiceLine, line_width

if TYPE_CHECKING:
    from rlft_tui.runs.spec_fields import SpecField

BOX = 26
"""Cells of what is typed or chosen."""
SWITCH = (("on", "true"), ("off", "false"))


class FieldList(VerticalScroll, inherit_bindings=False, can_focus=False):
    """The rows; scrolls to the field one is in, so that up and down are free to go from field to field."""


class FieldChoice(Select[str], inherit_bindings=False):
    """A list to choose from that up and down pass by, as they do every other field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,space", "show_overlay", "choose", show=False, id="launch.choose", tooltip="Open the list"
        ),
    ]


class ThemeLine(Static):
    """A heading between the fields."""

    DEFAULT_CSS = """
    ThemeLine { height: 1; margin-top: 1; padding-left: 1; color: $text-accent; text-style: bold; }
    """

    def __init__(self, theme: str) -> None:
        super().__init__(theme, classes="rest", markup=False)


class FieldRow(Horizontal):
    """One setting."""

    DEFAULT_CSS = """
    FieldRow { height: 1; }
    FieldRow > .label { width: 17; padding-left: 1; color: $text-muted; }
    FieldRow > Input, FieldRow > Select, FieldRow > ChoiceLine { width: 26; }
    FieldRow.-changed > .label { color: $text; text-style: bold; }
    FieldRow:focus-within > .label { color: $text-accent; text-style: bold; }
    FieldRow > .note { width: 1fr; padding-left: 2; color: $text-muted;
                       text-wrap: nowrap; text-overflow: ellipsis; }
    FieldRow > .note.-wrong { color: $text-warning; text-style: bold; }
    FieldRow > Input.-wrong { background: $warning-muted; }
    """

    def __init__(
        self, field: SpecField, choices: tuple[tuple[str, str], ...], text: str, *, first: bool
    ) -> None:
        """``choices``: label and value of what can be chosen; none for what is typed."""
        super().__init__(classes="first" if first else "rest")
        self.field = field
        self.first = first
        self._choices = choices or (SWITCH if field.kind == "switch" else ())
        self._text = text
        self._note: tuple[str, bool] = ("", False)

    @property
    def box_id(self) -> str:
        return "field-" + self.field.name.replace(".", "-")

    def compose(self) -> ComposeResult:
        yield Static(label(self.field), classes="label", markup=False)
        named = self.field.kind in ("model", "dataset")
        if not self._choices and not named:
            box = Input(self._text, compact=True, id=self.box_id, select_on_focus=False)
            box.cursor_blink = False
            yield box
        elif not named and line_width([shown for shown, _ in self._choices]) <= BOX:
            yield ChoiceLine(self._choices, self._text, id=self.box_id)
        else:
            known = self._text in [value for _, value in self._choices]
            yield FieldChoice(
                self._choices,
                value=self._text if known else Select.NULL,
                allow_blank=not known,
                compact=True,
                prompt="choose",
                id=self.box_id,
            )
        yield Static("", classes="note", markup=False)

    def put(self, text: str) -> None:
        """Show another value than the one typed, such as a preset's."""
        if (box := next(iter(self.query(Input)), None)) is not None:
            if box.value.strip() != text:
                box.value = text
        elif (line := next(iter(self.query(ChoiceLine)), None)) is not None:
            line.show(self._choices, text)
        elif text in [value for _, value in self._choices]:
            self.query_one(FieldChoice).value = text

    def tell(self, note: str, *, wrong: bool, changed: bool = False) -> None:
        """Show help, or the error in its place."""
        self.set_class(changed, "-changed")
        line = next(iter(self.query(".note").results(Static)), None)
        # A field may report its first value while the rows below it have not been filled yet.
        if (note, wrong) == self._note or line is None:
            return
        self._note = (note, wrong)
        line.set_class(wrong, "-wrong")
        line.update(f"✗ {note}" if wrong else note)
        for box in self.query(Input):
            box.set_class(wrong, "-wrong")
