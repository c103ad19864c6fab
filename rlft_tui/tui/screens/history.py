"""What a labeller did, newest first: search it, revise it, take it back."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    Mark,
    Preference,
    Progress,
    Recorded,
    Revocation,
)
from rlft_tui.tui.label_session import verdict_words
from rlft_tui.tui.list_pane import Columns, ListPane, ListRow, fitting, table_head, table_line

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.tui.app import RlftApp

SHOWN = 500
"""Entries read at a time; a search reaches all of them."""
NARROW = 100
"""Columns under which there is no note, and no column of its own for what was taken back."""
FILTERS = {"": "all", "verdict": "verdicts", "skip": "skipped", "flag": "flagged", "written": "written"}


class HistoryScreen(ModalScreen[HistoryEntry | None]):
    """Enter gives the entry to the caller, to be shown again; x takes it back from here.

    ``taken_back`` is called once a revocation is stored.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close", id="history.close", tooltip="Back to labelling"),
        Binding("enter", "take", "revise", id="history.revise", tooltip="Show this pair again"),
        Binding("x,delete", "revoke", "take back", id="history.revoke", tooltip="Take this one back"),
        Binding("slash", "search", "search", id="history.search", tooltip="Search prompts and notes"),
        Binding("tab", "filter", "filter", id="history.filter", tooltip="All, verdicts, skipped …"),
        Binding("ctrl+q", "app.quit", "leave", show=False, id="history.quit", tooltip="Leave the workbench"),
    ]
    DEFAULT_CSS = """
    HistoryScreen { align: center middle; }
    HistoryScreen > Vertical { width: 96%; max-width: 150; height: 90%; background: $panel; padding: 0 1; }
    HistoryScreen Static { height: 1; color: $text-muted; }
    """

    def __init__(self, labeler: str, taken_back: Callable[[Recorded, Progress], None]) -> None:
        super().__init__()
        self._labeler = labeler
        self._taken_back = taken_back
        self._only = ""
        self._entries: dict[str, HistoryEntry] = {}
        self._known = False
        """Whether the server has answered."""
        self._busy = False

    @property
    def _bench(self) -> RlftApp:
        return cast("RlftApp", self.app)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(id="history-filter", markup=False)
            yield Input(placeholder="/ searches prompts and notes", compact=True)
            yield ListPane(empty="reading …")
            yield Static(
                "⏎ revise or un-skip   x take back   / search   tab filter   esc close", markup=False
            )

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(ListPane).focus()
        self._read()

    def on_resize(self) -> None:
        self._paint()

    # reading
    @on(Input.Changed)
    def _read(self) -> None:
        self.run_worker(self._ask(self.query_one(Input).value.strip()), group="history", exclusive=True)

    async def _ask(self, search: str) -> None:
        filters = "   ".join(f"[{name}]" if key == self._only else name for key, name in FILTERS.items())
        self.query_one("#history-filter", Static).update(f"History   {filters}")

        def ask(client: WorkspaceClient) -> tuple[HistoryEntry, ...]:
            return client.history(self._labeler, limit=SHOWN, search=search, only=self._only)

        try:
            entries = await self._bench.link.call(ask)
        except RlftError as error:
            self.query_one(ListPane).show([], empty=str(error))
            return
        self._entries = {entry.operation.id: entry for entry in entries}
        self._known = True
        self._paint()

    def _paint(self) -> None:
        pane = self.query_one(ListPane)
        columns = _columns(pane.size.width)
        rows = [ListRow(key, _line(entry, columns)) for key, entry in self._entries.items()]
        pane.show(rows, table_head(columns), empty="nothing here" if self._known else "reading …")

    # deciding
    @on(ListPane.Chosen)
    def action_take(self) -> None:
        entry = self._chosen()
        if entry is not None:
            self.dismiss(entry)

    @on(Input.Submitted)
    def _searched(self) -> None:
        self.query_one(ListPane).focus()

    def action_search(self) -> None:
        self.set_focus(self.query_one(Input))

    def action_filter(self) -> None:
        order = list(FILTERS)
        self._only = order[(order.index(self._only) + 1) % len(order)]
        # What the filter before has found is not what the next key is meant for.
        self._entries, self._known = {}, False
        self._paint()
        self._read()

    def action_leave(self) -> None:
        if isinstance(self.focused, Input):
            self.query_one(ListPane).focus()
        else:
            self.dismiss(None)

    def action_revoke(self) -> None:
        entry = self._chosen()
        if entry is None or entry.revoked or self._busy:
            return
        self._busy = True
        revocation = Revocation(new_id(), entry.operation.id, self._labeler, time.time())
        self._bench.label_writer.put(revocation, partial(self._revoked, entry.operation), self._refused)

    def _revoked(self, operation: Recorded, progress: Progress) -> None:
        self._busy = False
        self._taken_back(operation, progress)
        if self.is_attached:
            self._read()

    def _refused(self, error: RlftError) -> None:
        self._busy = False
        self._bench.show_error(error)

    def _chosen(self) -> HistoryEntry | None:
        return self._entries.get(self.query_one(ListPane).key or "")


def _columns(width: int) -> Columns:
    columns: Columns = (("when", 12), ("what", 30), ("", 10), ("note", 24))
    if width < NARROW:  # the prompt tells one entry from the others
        columns = (("when", 8), ("what", 24))
    taken = sum(cells + 2 for _, cells in columns) + 1
    return fitting((*columns, ("prompt", max(12, width - taken - 1))), width)


def _line(entry: HistoryEntry, columns: Columns) -> Text:
    operation = entry.operation
    state, style = (
        ("taken back", "dim") if entry.revoked else ("replaced", "dim") if entry.superseded else ("", "")
    )
    narrow = "" not in dict(columns)
    words = f"{state}: {_words(operation)}" if state and narrow else _words(operation)
    values = {
        "when": (_moment(operation.created_at, narrow), "dim"),
        "what": (words, style or "bold"),
        "": (state, "dim"),
        "note": (_note(operation), style),
        "prompt": (entry.prompt or "(the pair is not stored)", style),
    }
    return table_line(columns, {title: values[title] for title, _ in columns})


def _words(operation: Recorded) -> str:
    if isinstance(operation, BetterAnswer):
        return "wrote a better answer"
    if isinstance(operation, Mark):
        return "skipped" if operation.kind == "skip" else "flagged"
    words = verdict_words(operation)
    return f"{words} · {operation.confidence}" if operation.confidence is not None else words


def _note(operation: Recorded) -> str:
    if isinstance(operation, BetterAnswer):
        return operation.text
    return operation.reasoning if isinstance(operation, Preference) else operation.note


def _moment(seconds: float, narrow: bool) -> str:
    then = time.localtime(seconds)
    today = time.localtime()
    same_day = then[:3] == today[:3]
    return time.strftime("%H:%M:%S" if same_day else "%d %b" if narrow else "%d %b %H:%M", then)
