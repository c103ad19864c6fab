"""Data: prompts, pairs, labels and data sets; search them, read them, freeze labels."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, get_args

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.errors import RlftError
from rlft_tui.labels.preference import ListedLabel
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.server.answers import Totals
from rlft_tui.tui.data_views import VIEWS, Item, ViewName, detail_of, fetch_page, row_of
from rlft_tui.tui.run_text import counted
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.server_link import LinkState
from rlft_tui.tui.widgets.row_window import Row, RowWindow
from rlft_tui.tui.widgets.text_pane import TextPane

ORDER: tuple[ViewName, ...] = get_args(ViewName)
STACK_BELOW = 110
"""Columns under which the details stand below the table."""
IMPORT_HINT = (
    "In a shell: rlft prompts import FILE, rlft pairs import FILE (JSONL, CSV or Parquet), "
    "rlft pairs generate; rlft data import FILE for data that needs no labels. "
    "Bad lines are listed, good ones kept."
)


class DataScreen(WorkbenchScreen):
    """Everything that is stored, table by table."""

    KEY = "data"
    HELP = "Prompts, pairs, labels and the data sets frozen from them."
    CHANGES_KEYS = frozenset({"leader", "search", "build"})
    KEPT_BACK = frozenset({"build"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "view(1)", "table", id="data.next", key_display="← →", tooltip="The next table"),
        Binding("left", "view(-1)", "table", show=False, id="data.previous", tooltip="The table before"),
        Binding("slash", "search", "search", id="data.search", tooltip="Search this table"),
        Binding("tab", "other_pane", "details", id="data.details", tooltip="Scroll the details; or not"),
        Binding("b", "build", "build data set", id="data.build", tooltip="Freeze labels into a data set"),
        Binding("i", "import_hint", "import", id="data.import", tooltip="How to import"),
        Binding(
            "t", "app.show_screen('statistics')", "statistics",
            id="data.statistics", tooltip="Pace, biases, agreement and who is ahead",
        ),
        Binding("r", "reload", "reload", id="data.reload", tooltip="Read the table again"),
        Binding("v", "source", "source", show=False, id="data.source", tooltip="As written; or rendered"),
        Binding("escape", "release", "table", show=False, id="data.release", tooltip="Leave the search"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    DataScreen #views { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    DataScreen #tables { height: 1fr; layout: horizontal; }
    DataScreen RowWindow { padding: 0 1; width: 3fr; }
    DataScreen TextPane { padding: 0 1; width: 2fr; border-left: vkey $panel; }
    DataScreen.-stacked #tables { layout: vertical; }
    DataScreen.-stacked RowWindow { width: 1fr; height: 1fr; }
    DataScreen.-stacked TextPane { width: 1fr; height: 1fr; border-left: none; border-top: hkey $panel; }
    DataScreen #search { display: none; height: 1; padding: 0 1; border: none; background: $boost; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.view: ViewName = "pairs"
        self.searches: dict[ViewName, str] = {}
        self._totals: dict[ViewName, int] = {}
        """Rows of each table without a search, as far as they are known."""
        self._counted = False
        """Whether they have been asked for since the screen came to the front."""
        self._items: dict[int, Item] = {}
        self._shown: Item | None = None
        self._found: int | None = None
        """Rows of the table in front, those of its search alone."""

    # layout
    def body(self) -> Iterable[Widget]:
        yield Static(id="views", markup=False)
        yield Container(RowWindow(id="rows"), TextPane(id="detail"), id="tables")
        search = Input(id="search", compact=True, placeholder="Search; Enter applies, Escape leaves")
        search.cursor_blink = False
        yield search

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < STACK_BELOW, "-stacked")

    # showing
    def opened(self, *, view: ViewName | None = None, **_: Any) -> None:
        self._counted = False
        self._show_view(view or self.view)

    def _count(self) -> None:
        """The totals of the tables that are not in front."""

        def done(found: Totals) -> None:
            self._totals = {
                "prompts": found.prompts,
                "pairs": found.pairs,
                "labels": found.labels,
                "datasets": found.datasets,
            }
            self._paint_views(self._found)

        self.call(lambda client: client.totals(), done, group="count", latest=True)

    def link_changed(self, state: LinkState, reason: str) -> None:
        super().link_changed(state, reason)
        if state == "up" and self.is_mounted and not (rows := self.query_one(RowWindow)).is_fetching:
            rows.reload()

    def _show_view(self, view: ViewName) -> None:
        self.view = view
        self._items = {}
        self._shown = None
        self._found = None
        self._paint_views()
        self.query_one("#detail", TextPane).show("")
        rows = self.query_one(RowWindow)
        rows.set_source(VIEWS[view].columns, self._fetch_of(view, self.searches.get(view, "")))
        self.set_focus(rows)

    def _fetch_of(self, view: ViewName, search: str) -> Any:
        async def fetch(offset: int, limit: int) -> tuple[Sequence[Row], int]:
            items, total = await self.bench.link.call(
                lambda client: fetch_page(client, view, search, offset, limit)
            )
            now = time.time()
            if view == self.view:
                self._items.update(zip(range(offset, offset + len(items)), items, strict=True))
                if not self._counted:
                    # Not before: counting a million labels would keep the rows waiting.
                    self._counted = True
                    self._count()
                self._found = total
                self._paint_views(total)
                if not total:
                    hint = f"Nothing matches {search!r}." if search else VIEWS[view].empty
                    self.query_one("#detail", TextPane).show(hint, markdown=False)
            return [row_of(item, now) for item in items], total

        return fetch

    def _paint_views(self, total: int | None = None) -> None:
        parts: list[Content] = []
        for name in ORDER:
            search = self.searches.get(name, "") if name == self.view else ""
            known = None if search else self._totals.get(name)
            rows = total if name == self.view and total is not None else known
            count = f" {rows:,}" if rows is not None else ""
            found = f" /{search}" if search else ""
            style = "bold $text-accent" if name == self.view else "$text-muted"
            parts.append(Content.styled(f" {VIEWS[name].title}{count}{found} ", style))
        self.say("#views", Content(" ").join(parts))

    # rows
    @on(RowWindow.RowHighlighted)
    def _row_highlighted(self, message: RowWindow.RowHighlighted) -> None:
        item = self._items.get(message.index)
        if item is None or item is self._shown:
            return
        self._shown = item
        if isinstance(item, ListedLabel):
            self._show_label(item)
        else:
            self.query_one("#detail", TextPane).show(detail_of(item))

    def _show_label(self, item: ListedLabel) -> None:
        def done(pair: ResponsePair) -> None:
            if self._shown is item:
                self.query_one("#detail", TextPane).show(detail_of(item, pair))

        def without(_: RlftError) -> None:
            if self._shown is item:
                self.query_one("#detail", TextPane).show(detail_of(item))

        self.call(
            lambda client: client.pair(item.verdict.example_id),
            done,
            failed=without,
            group="detail",
            latest=True,
        )

    @on(RowWindow.RowSelected)
    def _row_selected(self) -> None:
        self.action_other_pane()

    @on(RowWindow.FetchFailed)
    def _fetch_failed(self, message: RowWindow.FetchFailed) -> None:
        error = message.error
        self.bench.show_error(error if isinstance(error, RlftError) else RlftError(str(error)))

    # keys
    def action_view(self, by: int) -> None:
        self._show_view(ORDER[(ORDER.index(self.view) + by) % len(ORDER)])

    def action_other_pane(self) -> None:
        detail, rows = self.query_one("#detail", TextPane), self.query_one(RowWindow)
        self.set_focus(rows if detail.has_focus else detail)

    def action_release(self) -> None:
        search = self.query_one("#search", Input)
        if search.display:
            search.display = False
        elif self.searches.pop(self.view, ""):
            self._show_view(self.view)
        self.set_focus(self.query_one(RowWindow))

    def action_search(self) -> None:
        if not VIEWS[self.view].searchable:
            self.notify("Labels cannot be searched; search the pairs", markup=False)
            return
        search = self.query_one("#search", Input)
        search.value = self.searches.get(self.view, "")
        search.display = True
        self.set_focus(search)

    @on(Input.Submitted, "#search")
    def _searched(self, event: Input.Submitted) -> None:
        self.searches[self.view] = event.value.strip()
        self.query_one("#search").display = False
        self._show_view(self.view)

    def action_reload(self) -> None:
        self._items = {}
        self._counted = False
        self.query_one(RowWindow).reload()

    def action_import_hint(self) -> None:
        self.notify(IMPORT_HINT, title="Import", timeout=8, markup=False)

    def action_build(self) -> None:
        from rlft_tui.tui.screens.build_dataset import BuildDatasetScreen

        self.app.push_screen(BuildDatasetScreen(), self._build)

    def _build(self, spec: DatasetSpec | None) -> None:
        if spec is None:
            return

        def done(dataset: Dataset) -> None:
            self.notify(
                f"Data set {dataset.name or dataset.hash}: "
                f"{counted(dataset.train_rows, 'row')} to train on, "
                f"{dataset.heldout_rows:,} held out",
                markup=False,
            )
            self._show_view("datasets")
            self._count()

        self.call(lambda client: client.build_dataset(spec), done, retry=False)
