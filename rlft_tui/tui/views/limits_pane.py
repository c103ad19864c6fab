"""What may change while a run runs, edited where it stands: alarm limits, sampling and measuring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from rlft_tui.runs.run_setting import RunSetting
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import Columns, ListPane, ListRow, table_head, table_line

COLUMNS: Columns = (("setting", 19), ("now", 9), ("launched", 9), ("what it means", 200))
NOTHING = "nothing of this run can be changed"


class LimitsPane(Vertical):
    """A line a setting; Enter opens the one under the cursor for typing."""

    DEFAULT_CSS = """
    LimitsPane #limit-edit { height: 1; padding: 0 1; background: $surface; display: none; }
    LimitsPane.-editing #limit-edit { display: block; }
    LimitsPane #limit-name { width: auto; text-style: bold; }
    LimitsPane #limit-value { width: 20; }
    LimitsPane #limit-hint { width: 1fr; padding-left: 2; color: $text-muted;
                             text-wrap: nowrap; text-overflow: ellipsis; }
    LimitsPane #limit-help { height: auto; max-height: 3; padding: 0 1; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "edit", id="limits.edit", tooltip="Type another value for this setting"),
        Binding("backspace", "restore", "as launched", id="limits.restore",
                tooltip="The value that the run was launched with"),
        Binding("escape", "leave", "alarms", id="limits.leave", 
                tooltip="Drop what is typed; back to the alarms"),
    ]  # fmt: skip

    class Changed(Message):
        """A setting is to have another value."""

        def __init__(self, name: str, value: str) -> None:
            super().__init__()
            self.name = name
            self.value = value

    class Left(Message):
        """The alarms are wanted again."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.settings: tuple[RunSetting, ...] = ()
        self._help = ""

    def compose(self) -> ComposeResult:
        yield ListPane(empty="reading …", id="limit-list")
        yield Static("", id="limit-help", markup=False)
        box = Input(compact=True, id="limit-value")
        box.cursor_blink = False
        yield Horizontal(
            Static("", id="limit-name", markup=False), box, Static("", id="limit-hint", markup=False),
            id="limit-edit",
        )  # fmt: skip

    def show(self, settings: Sequence[RunSetting]) -> None:
        """Replace what is shown; what is being typed stays."""
        self.settings = tuple(settings)
        rows = [
            ListRow(
                one.name,
                table_line(
                    COLUMNS,
                    {
                        "setting": (one.name, ""),
                        "now": (one.value, "" if one.value == one.launched else "bold #56b4e9"),
                        "launched": ("" if one.value == one.launched else one.launched, "dim"),
                        "what it means": (one.help, "dim"),
                    },
                ),
            )
            for one in self.settings
        ]
        self.query_one(ListPane).show(rows, table_head(COLUMNS), empty=NOTHING)
        self._explain()

    @property
    def selected(self) -> RunSetting | None:
        key = self.query_one(ListPane).key
        return next((one for one in self.settings if one.name == key), None)

    @property
    def editing(self) -> bool:
        return self.has_class("-editing")

    def focus_inside(self) -> None:
        self.screen.set_focus(self.query_one(Input if self.editing else ListPane))

    @on(ListPane.Moved)
    def _explain(self) -> None:
        """The whole of the help, where a line cannot hold it."""
        one = self.selected
        text = (
            "" if one is None else " ".join(part for part in (f"{one.name}:", one.help, _may_be(one)) if part)
        )
        if text != self._help:
            self._help = text
            self.query_one("#limit-help", Static).update(Text(run_text.plain(text)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("edit", "restore"):
            return self.is_mounted and not self.editing and self.selected is not None
        return super().check_action(action, parameters)

    @on(ListPane.Chosen)
    def action_edit(self) -> None:
        one = self.selected
        if one is None or self.editing:
            return
        self.add_class("-editing")
        self.query_one("#limit-name", Static).update(f"{one.name} ")
        self.query_one("#limit-hint", Static).update(
            f"{_may_be(one)}  enter takes it, escape drops it".strip()
        )
        box = self.query_one(Input)
        box.value = one.value
        self.screen.set_focus(box)
        box.select_all()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        one, value = self.selected, event.value.strip()
        self._end_editing()
        if one is not None and value and value != one.value:
            self.post_message(self.Changed(one.name, value))

    def action_restore(self) -> None:
        one = self.selected
        if one is not None and one.value != one.launched:
            self.post_message(self.Changed(one.name, one.launched))

    def action_leave(self) -> None:
        if self.editing:
            self._end_editing()
        else:
            self.post_message(self.Left())

    def _end_editing(self) -> None:
        self.remove_class("-editing")
        self.query_one(ListPane).focus()
        self.refresh_bindings()


def _may_be(one: RunSetting) -> str:
    """``notify | pause | stop``, or ``> 0``."""
    return " | ".join(one.choices) or one.bounds
