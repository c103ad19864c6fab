"""Choosing which metrics the monitor shows."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.metric_pages import MetricPages, group_of
from rlft_tui.tui.screens.search_picker import SearchPicker


class MetricPicker(SearchPicker[None]):
    """Type to search, arrows to move, enter to pick or put back; the picked ones are shown alone."""

    PLACEHOLDER = "search the metrics, /expression/"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", id="metrics.close", tooltip="Back to the curves"),
        Binding("enter", "pick", "pick", priority=True, id="metrics.pick", tooltip="Pick or put back"),
        Binding("tab", "pin", "pin", priority=True, id="metrics.pin", tooltip="Pin: always shown first"),
        Binding("ctrl+u", "clear", "all", priority=True, id="metrics.all", tooltip="Show all metrics again"),
        Binding("down", "move(1)", "next", priority=True, id="metrics.next", tooltip="Next metric"),
        Binding("up", "move(-1)", "previous", priority=True, id="metrics.previous", tooltip="Metric before"),
    ]
    DEFAULT_CSS = "MetricPicker > Vertical { max-width: 70; }"

    def __init__(self, pages: MetricPages, run: RunSummary) -> None:
        super().__init__()
        self._pages = pages
        self._run = run

    def search(self, text: str) -> None:
        keys = self._pages.search(text)
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

    @on(ListPane.Chosen)
    def action_pick(self) -> None:
        if (key := self.key) is not None:
            self._pages.toggle(key)
            self.search_again()

    def action_pin(self) -> None:
        if (key := self.key) is not None:
            self._pages.pin(key)
            self.search_again()

    def action_clear(self) -> None:
        self._pages.chosen.clear()
        self._pages.page = 0
        self.search_again()
