"""The dashboard: models by metrics against a baseline, and the single items behind every figure."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.report.board import Board, BoardRow, Cell, row_title
from rlft_tui.tui import run_text
from rlft_tui.tui.evaluation_lines import (
    detail_lines,
    head_line,
    layout,
    row_line,
    said_text,
    scores_text,
)
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.screens.watching import WatchedListScreen
from rlft_tui.tui.widgets.cells import wrapped
from rlft_tui.tui.widgets.text_pane import TextPane
from rlft_tui.tui.widgets.word_diff import diff_words, marked_pieces

LOOK_SECONDS = 5.0
PATIENCE = 30.0
"""What took long to read is read again only after so many times as long."""
MOST_ITEMS = 500
NARROW = 110
"""Columns under which what is said of a figure takes a line more."""
READING_ITEMS = "reading items …"


class EvaluationsScreen(WatchedListScreen):
    """Models × metrics; Enter opens the items of the figure under the cursor."""

    KEY = "evaluations"
    HELP = (
        "✓ better and ✗ worse than the baseline by more than chance, ≈ could be chance: a paired test over "
        "the items both answered, corrected for many metrics (Holm); a win rate by its own interval."
    )
    AUTO_FOCUS = LIST = "#board"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "items", "items", id="evaluations.items", tooltip="The single items of this figure"),
        Binding(
            "left,h",
            "model(-1)",
            "model before",
            show=False,
            id="evaluations.model_back",
            tooltip="The model before",
        ),
        Binding(
            "right", "model(1)", "model", key_display="←→", id="evaluations.model", tooltip="The next model"
        ),
        Binding(
            "b", "baseline", "baseline", id="evaluations.baseline", tooltip="Another model to compare with"
        ),
        Binding("s", "suite", "suite", id="evaluations.suite", tooltip="Only one suite, or all"),
        Binding(
            "d",
            "differing",
            "differing",
            id="evaluations.differing",
            tooltip="Only items on which the two models differ, or that are wrong",
        ),
        Binding("x", "diff", "diff", id="evaluations.diff", tooltip="Mark the words that differ"),
        Binding(
            "r", "report", "report", id="evaluations.report", tooltip="Write the whole report to exports/"
        ),
        Binding("o", "open_run", "its run", id="evaluations.run", tooltip="Open the run that measured it"),
        Binding(
            "v", "source", "source", show=False, id="evaluations.source", tooltip="Texts as they are written"
        ),
        Binding(
            "escape", "leave", "back", id="evaluations.leave", tooltip="Back to the board; then to Models"
        ),
    ]
    DEFAULT_CSS = """
    EvaluationsScreen #board-head { height: 1; background: $surface; padding: 0 1; }
    EvaluationsScreen #figure { height: 3; background: $surface; padding: 0 1; }
    EvaluationsScreen.-narrow #figure { height: 4; }
    EvaluationsScreen #pages { height: 1fr; }
    EvaluationsScreen #item-list { height: 1fr; max-height: 35%; }
    EvaluationsScreen #item-prompt { height: auto; max-height: 4; background: $surface; padding: 0 1; }
    EvaluationsScreen #item-texts { height: 2fr; }
    EvaluationsScreen TextPane { padding: 0 1; }
    EvaluationsScreen.-items #figure { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.board: Board | None = None
        self.items: list[tuple[Item, Item | None]] = []
        """(model's, baseline's) of the figure that is open."""
        self._baseline = ""
        self._suite = ""
        self._chosen = ""
        self._differing = False
        self._diff = False
        self._known: tuple[str, ...] = ()
        """Models of which something was measured."""
        self._suites: tuple[str, ...] = ()
        self._opened_cell: tuple[BoardRow, Cell] | None = None

    def body(self) -> Iterable[Widget]:
        yield Static("", id="board-head", markup=False)
        with ContentSwitcher(initial="board", id="pages"):
            yield ListPane(id="board", empty="reading what was measured …")
            with Vertical(id="items"):
                yield ListPane(id="item-list", empty=READING_ITEMS)
                yield Static("", id="item-prompt", markup=False)
                with Horizontal(id="item-texts"):
                    yield TextPane(id="item-left")
                    yield TextPane(id="item-right")
        yield Static("", id="figure", markup=False)

    def opened(self, *, model: str = "", baseline: str = "", **values: Any) -> None:
        """``model`` and ``baseline``: which to begin with."""
        self._chosen = model or self._chosen
        self._baseline = baseline or self._baseline
        super().opened(**values)

    # reading
    async def look(self) -> float:
        from rlft_tui.client.evaluation_board import read_board

        start = time.monotonic()
        found = await self.bench.link.call(lambda client: client.evaluations())
        self._known = tuple(sorted({one.model for one in found}))
        self._suites = tuple(sorted({one.suite for one in found}))
        if self._baseline not in self._known:
            default = self.bench.settings.default_model
            self._baseline = default if default in self._known else next(iter(self._known), "")
        baseline, suites = self._baseline, (self._suite,) if self._suite else ()
        self.board = await self.bench.link.call(
            lambda client: read_board(client, baseline=baseline, suites=suites)
        )
        others = [model for model in self.board.models if model != baseline]
        if self._chosen not in others:
            self._chosen = others[0] if others else baseline
        self.show()
        self.refresh_bindings()
        return max(LOOK_SECONDS, PATIENCE * (time.monotonic() - start))

    # drawing
    def draw(self) -> None:
        board = self.board
        if board is None:
            return
        self.set_class(self.size.width < NARROW, "-narrow")
        at = layout(board, self.size.width, self._chosen)
        self.pane.show(
            [ListRow(row.key, row_line(board, row, at)) for row in board.rows],
            head_line(board, at, self._chosen),
            empty="Nothing was measured yet: rlft eval run basics --model NAME",
        )
        parts = [f"baseline {board.baseline}" if board.baseline else "no baseline"]
        parts.append(f"suite {self._suite}" if self._suite else "all suites")
        if board.compared > 1:
            parts.append(f"{board.compared} comparisons, p corrected (Holm)")
        hidden = len(board.models) - len(at.models)
        parts += [f"{hidden} more models: ← →"] if hidden > 0 else []
        self.say("#board-head", run_text.cut(run_text.plain(" · ".join(parts)), self.size.width - 2))
        self._paint_figure()

    def _paint_figure(self) -> None:
        board, found = self.board, self.selected
        if board is None or found is None:
            self.say("#figure", "")
            return
        told = [run_text.plain(line) for line in detail_lines(board, *found)]
        lines = [part for line in told for part in wrapped(line, self.size.width - 2)]
        self.say("#figure", "\n".join(lines))

    def _paint_items(self) -> None:
        rows = []
        for number, (item, other) in enumerate(self.items):
            scores = scores_text(item) + (f" | {scores_text(other)}" if other else "")
            prompt = run_text.plain(item.prompt)
            line = Text(f" {run_text.cut(scores, 34):<34}  {prompt}", no_wrap=True)
            rows.append(ListRow(f"{number}", line))
        found = self._opened_cell
        against = self.board.baseline if self.board and self.items and self.items[0][1] else "expected"
        head = f" {found[1].model} | {against} · {row_title(found[0])}" if found else ""
        empty = "no items differ" if self._differing else "no items"
        self.query_one("#item-list", ListPane).show(
            rows, Text(f" {run_text.plain(head)}"), empty=f"{empty}: d shows all"
        )
        self._paint_item()

    def _paint_item(self) -> None:
        key = self.query_one("#item-list", ListPane).key
        left, right = self.query_one("#item-left", TextPane), self.query_one("#item-right", TextPane)
        if key is None or not self.items:
            self.say("#item-prompt", "")
            left.show("")
            right.show("")
            return
        item, other = self.items[int(key)]
        self.say("#item-prompt", run_text.plain(item.prompt))
        first = said_text(item)
        second = said_text(other) if other is not None else item.expected or "nothing was expected"
        if self._diff:
            marks = diff_words(first, second)
            left.show(first, marks=marked_pieces(first, marks[0], fold=False))
            right.show(second, marks=marked_pieces(second, marks[1], fold=False))
        else:
            left.show(first)
            right.show(second)

    # choosing
    @property
    def shows_items(self) -> bool:
        return self.query_one(ContentSwitcher).current == "items"

    @property
    def selected(self) -> tuple[BoardRow, Cell | None] | None:
        """The row under the cursor and the chosen model's figure in it."""
        board = self.board
        key = self.pane.key if board is not None else None
        row = next((row for row in board.rows if row.key == key), None) if board is not None else None
        return None if row is None else (row, row.cell(self._chosen))

    @on(ListPane.Moved, "#board")
    def _moved(self) -> None:
        self._paint_figure()
        self.refresh_bindings()

    @on(ListPane.Moved, "#item-list")
    def _item_moved(self) -> None:
        self._paint_item()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if (
            action in ("items", "open_run", "differing", "diff", "model", "baseline", "suite")
            and self.is_mounted
        ):
            found = self.selected
            measured = found is not None and found[1] is not None and found[1].evaluation is not None
            run = measured and bool(found and found[1] and found[1].evaluation and found[1].evaluation.run_id)
            if action in ("items", "open_run"):
                return run and not (action == "items" and self.shows_items)
            on_board = self.board is not None and not self.shows_items
            return self.shows_items if action in ("differing", "diff") else on_board
        return super().check_action(action, parameters)

    # actions
    def action_model(self, by: int) -> None:
        if self.board is None:
            return
        others = [model for model in self.board.models if model != self.board.baseline]
        if others:
            at = others.index(self._chosen) if self._chosen in others else 0
            self._chosen = others[(at + by) % len(others)]
            self.paint()
            self.refresh_bindings()

    def action_baseline(self) -> None:
        if self._known:
            at = self._known.index(self._baseline) if self._baseline in self._known else -1
            self._baseline = self._known[(at + 1) % len(self._known)]
            self.look_now()

    def action_suite(self) -> None:
        turns = ("", *self._suites)
        at = turns.index(self._suite) if self._suite in turns else -1
        self._suite = turns[(at + 1) % len(turns)]
        self.look_now()

    @on(ListPane.Chosen, "#board")
    def action_items(self) -> None:
        found = self.selected
        if found is None or found[1] is None or found[1].evaluation is None:
            return
        self._opened_cell = (found[0], found[1])
        self._show_page("items")
        self.items = []
        self._paint_item()
        pane = self.query_one("#item-list", ListPane)
        pane.show((), Text(""), empty=READING_ITEMS)
        pane.focus()
        self._read_items()
        self.refresh_bindings()

    def _show_page(self, page: str) -> None:
        """The board, or the items in its place; the figure's lines make room for their texts."""
        self.query_one(ContentSwitcher).current = page
        self.set_class(page == "items", "-items")

    def _read_items(self) -> None:
        board, found = self.board, self._opened_cell
        if board is None or found is None:
            return
        row, cell = found
        one, differing = cell.evaluation, self._differing
        assert one is not None

        def read(client: Any) -> list[tuple[Item, Item | None]]:
            if cell.change is not None and cell.change.n:
                page = client.evaluation_pairs(
                    cell.model,
                    board.baseline,
                    row.task,
                    suite=row.suite,
                    limit=MOST_ITEMS,
                    differing=differing,
                )
                return [(pair.model, pair.baseline) for pair in page.pairs]
            items = client.evaluation_items(
                one.run_id, task=row.task, limit=MOST_ITEMS, wrong=differing
            ).items
            return [(item, None) for item in items if item.parts.get("model", cell.model) == cell.model]

        self.call(read, self._items_came, group="items", latest=True)

    def _items_came(self, items: list[tuple[Item, Item | None]]) -> None:
        self.items = items
        self._paint_items()

    def action_differing(self) -> None:
        self._differing = not self._differing
        self._read_items()

    def action_diff(self) -> None:
        self._diff = not self._diff
        self._paint_item()

    def action_report(self) -> None:
        board = self.board
        if board is None or not board.rows:
            return
        folder = self.bench.workspace.exports
        name, title = self.bench.workspace.root.name, "Evaluation report"

        def write(client: Any) -> Path:
            from rlft_tui.client.evaluation_board import save_report

            return save_report(client, board, folder, workspace=name, title=title)

        self.call(write, lambda path: self.notify(f"Written: {path}", markup=False), group="report")

    def action_open_run(self) -> None:
        found = self.selected
        if found is not None and found[1] is not None and found[1].evaluation is not None:
            self.bench.show_screen("monitor", run_id=found[1].evaluation.run_id)

    def action_leave(self) -> None:
        if self.shows_items:
            self._show_page("board")
            self.pane.focus()
            self.refresh_bindings()
        else:
            self.bench.show_screen("models")
