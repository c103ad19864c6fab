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
    from rlft_tui.tui.launch_form import LaunchForm

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
    FieldRow.-wide > Input { width: 44; }
    FieldRow.-changed > .label { color: $text; text-style: bold; }
    FieldRow:focus-within > .label { color: $text-accent; text-style: bold; }
    FieldRow > .note { width: 1fr; padding-left: 2; color: $text-muted;
                       text-wrap: nowrap; text-overflow: ellipsis; }
    FieldRow > .note.-wrong { color: $text-warning; text-style: bold; }
    FieldRow > Input.-wrong { background: $warning-muted; }
    """

    def __init__(
        self, form: LaunchForm, field: SpecField, choices: tuple[tuple[str, str], ...], *, first: bool
    ) -> None:
        """``choices``: label and value of what can be chosen; none for what is typed."""
        super().__init__(classes="first" if first else "rest")
        self.set_class(field.kind == "names" and not field.choices, "-wide")
        self.form = form
        """Whose field it is: a row may still report when another form is in front already."""
        self.field = field
        self.first = first
        self._choices = choices or (SWITCH if field.kind == "switch" else ())
        self._text = form.text(field.name)
        self._note = Static("", classes="note", markup=False)
        self._said: tuple[str, bool] = ("", False)
        self._box = self._made_box()

    @property
    def box_id(self) -> str:
        return "field-" + self.field.name.replace(".", "-")

    def _made_box(self) -> Input | ChoiceLine | FieldChoice:
        named = self.field.kind in ("model", "dataset")
        if not self._choices and not named:
            box = Input(self._text, compact=True, id=self.box_id)
            box.cursor_blink = False
            return box
        if not named and line_width([shown for shown, _ in self._choices]) <= BOX:
            return ChoiceLine(self._choices, self._text, id=self.box_id)
        known = self._text in [value for _, value in self._choices]
        return FieldChoice(
            self._choices,
            value=self._text if known else Select.NULL,
            allow_blank=not known,
            compact=True,
            prompt="choose",
            id=self.box_id,
        )

    def compose(self) -> ComposeResult:
        yield Static(label(self.field), classes="label", markup=False)
        yield self._box
        yield self._note

    @property
    def text(self) -> str:
        """What stands in the box now."""
        value = self._box.value
        return value if isinstance(value, str) else ""

    def put(self, text: str) -> None:
        """Show another value than the one typed, such as a preset's."""
        if isinstance(self._box, Input):
            if self._box.value.strip() != text:
                self._box.value = text
        elif isinstance(self._box, ChoiceLine):
            self._box.show(self._choices, text)
        elif text in [value for _, value in self._choices]:
            self._box.value = text

    def tell(self, note: str, *, wrong: bool, changed: bool = False) -> None:
        """Show help, or the error in its place."""
        self.set_class(changed, "-changed")
        if (note, wrong) == self._said:
            return
        self._said = (note, wrong)
        self._note.set_class(wrong, "-wrong")
        self._note.update(f"✗ {note}" if wrong else note)
        if isinstance(self._box, Input):
            self._box.set_class(wrong, "-wrong")
