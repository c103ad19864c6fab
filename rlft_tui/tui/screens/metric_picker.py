"""Choosing which metrics the monitor shows."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.metric_pages import MetricPages, group_of


class MetricPicker(ModalScreen[None]):
    """Type to search, arrows to move, enter to pick or put back; the picked ones are shown alone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", id="metrics.close", tooltip="Back to the curves"),
        Binding("enter", "pick", "pick", priority=True, id="metrics.pick", tooltip="Pick or put back"),
        Binding("tab", "pin", "pin", priority=True, id="metrics.pin", tooltip="Pin: always shown first"),
        Binding("ctrl+u", "clear", "all", priority=True, id="metrics.all", tooltip="Show all metrics again"),
        Binding("down", "move(1)", "next", priority=True, id="metrics.next", tooltip="Next metric"),
        Binding("up", "move(-1)", "previous", priority=True, id="metrics.previous", tooltip="Metric before"),
    ]
    DEFAULT_CSS = """
    MetricPicker { align: center middle; }
    MetricPicker > Vertical { width: 90%; max-width: 70; height: 80%; background: $panel; padding: 0 1; }
    MetricPicker Input { margin-bottom: 1; }
    """

    def __init__(self, pages: MetricPages, run: RunSummary) -> None:
        super().__init__()
        self._pages = pages
        self._run = run

    def compose(self) -> ComposeResult:
        with Vertical():
            box = Input(placeholder="search the metrics, /expression/", compact=True)
            box.cursor_blink = False
            yield box
            yield ListPane(empty="none matches")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._list()

    @on(Input.Changed)
    def _list(self) -> None:
        keys = self._pages.search(self.query_one(Input).value)
        head = Text(" ⏎ picks · tab pins · ^u shows all · esc closes")
        self.query_one(ListPane).show([ListRow(key, self._line(key)) for key in keys], head)

    def _line(self, key: str) -> Text:
        picked = self._pages.chosen
        mark = f"{picked.index(key) + 1}" if key in picked else "·"
        if key in self._pages.pinned:
            mark = f"◆{mark}" if key in picked else "◆"
        unit = run_text.plain(self._run.units.get(key, ""))
        line = Text(f" {mark:>2} {run_text.cut(run_text.plain(key), 36):<36} ", no_wrap=True)
        line.append(f"{run_text.figure(self._run.metrics.get(key)):>10} ")
        line.append(f"{group_of(key):<8}", style="dim")
        line.append(unit, style="dim")
        return line

    def action_move(self, by: int) -> None:
        self.query_one(ListPane).action_move(by)

    @on(ListPane.Chosen)
    def action_pick(self) -> None:
        if (key := self.query_one(ListPane).key) is not None:
            self._pages.toggle(key)
            self._list()

    def action_pin(self) -> None:
        if (key := self.query_one(ListPane).key) is not None:
            self._pages.pin(key)
            self._list()

    def action_clear(self) -> None:
        self._pages.chosen.clear()
        self._pages.page = 0
        self._list()
