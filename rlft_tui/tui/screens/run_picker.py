"""Choosing the runs that are drawn over the one shown."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.run_list import searched
from rlft_tui.tui.screens.search_picker import SearchPicker
from rlft_tui.tui.widgets.chart_colours import MOST_LINES, line_mark


class RunPicker(SearchPicker[list[RunSummary]]):
    """Type to search, enter to pick or put back; the picked runs are the result."""

    PLACEHOLDER = "search the runs: id, model, tag, data set"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "done", "close", id="over.close", tooltip="Back to the curves"),
        Binding("enter", "pick", "pick", priority=True, id="over.pick", tooltip="Pick or put back"),
        Binding("ctrl+u", "clear", "none", priority=True, id="over.none", tooltip="Draw no other run"),
        Binding("down", "move(1)", "next", priority=True, id="over.next", tooltip="Next run"),
        Binding("up", "move(-1)", "previous", priority=True, id="over.previous", tooltip="Run before"),
    ]
    DEFAULT_CSS = "RunPicker > Vertical { max-width: 90; }"

    def __init__(self, runs: list[RunSummary], picked: list[str]) -> None:
        """``runs``: those that may be drawn; ``picked``: ids of those that are."""
        super().__init__()
        self._runs = runs
        self._picked = picked

    def search(self, text: str) -> None:
        words = text.lower().split()
        found = [run for run in self._runs if all(word in searched(run) for word in words)]
        head = Text(" ⏎ draws over or not · ^u none · esc closes")
        self.query_one(ListPane).show([ListRow(run.id, self._line(run)) for run in found], head)

    def _line(self, run: RunSummary) -> Text:
        mark = line_mark(self._picked.index(run.id) + 1) if run.id in self._picked else "·"
        line = Text(f" {mark} {run_text.cut(run_text.plain(run.id), 28):<28} ", no_wrap=True)
        line.append(f"{run_text.label(run):<12}", style=run_text.STYLES[run.status])
        line.append(f"{run_text.steps(run):>13}  {run_text.plain(run.model)}", style="dim")
        if run.tags:
            line.append("  " + run_text.plain(" ".join(f"#{tag}" for tag in run.tags)), style="dim")
        return line

    @on(ListPane.Chosen)
    def action_pick(self) -> None:
        key = self.key
        if key is None:
            return
        if key in self._picked:
            self._picked.remove(key)
        elif len(self._picked) + 1 < MOST_LINES:
            self._picked.append(key)
        else:
            self.notify(f"At most {MOST_LINES} runs in one chart", severity="warning", markup=False)
        self.search_again()

    def action_clear(self) -> None:
        self._picked.clear()
        self.search_again()

    def action_done(self) -> None:
        by_id = {run.id: run for run in self._runs}
        self.dismiss([by_id[key] for key in self._picked if key in by_id])
