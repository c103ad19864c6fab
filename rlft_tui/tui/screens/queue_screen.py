"""What the screens that put up one thing after another have in common: Score and Rank."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic

from textual.content import Content

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import RlftError
from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.queue_session import LabelT, QueueSession
from rlft_tui.tui.queue_walk import ItemT, ProgressT, QueuedPage
from rlft_tui.tui.screens.walk_screen import LOOK_AGAIN_SECONDS, WalkScreen
from rlft_tui.tui.widgets.terminal_pace import pace_of

HISTORY = 200
"""Labels looked through for the one to take back."""


class QueueScreen(WalkScreen, Generic[ItemT, LabelT, ProgressT]):
    """Asks for what comes next, stores what was said of it before the next is up, and takes it back.

    A screen has a TextPane ``#prompt``, an AnswerPane ``#answer``, Statics ``#ended`` and ``#status``, and
    ``.heading`` for lines between them.
    """

    DEFAULT_CSS = """
    QueueScreen .heading { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    QueueScreen #prompt { height: 3; padding: 0 1; }
    QueueScreen #answer { height: 1fr; padding: 0 1; }
    QueueScreen #status { height: 1; padding: 0 1; color: $text-muted; }
    QueueScreen #ended { display: none; height: 1fr; padding: 2 3; }
    QueueScreen.-ended #ended { display: block; }
    QueueScreen.-ended #answer, QueueScreen.-ended #prompt, QueueScreen.-ended .heading { display: none; }
    """

    session: QueueSession[ItemT, LabelT, ProgressT]

    # what a screen adds
    @abstractmethod
    def next_page(self, limit: int, held: tuple[str, ...]) -> Callable[[WorkspaceClient], Any]:
        """The call that asks for the next items (a QueuedPage)."""

    @abstractmethod
    def take_back(self, client: WorkspaceClient) -> tuple[ItemT, LabelT, ProgressT]:
        """Take back the labeller's newest label; RlftError when there is none."""

    @abstractmethod
    def bring_back(self, item: ItemT, former: LabelT, progress: ProgressT) -> None:
        """The label was taken back: tell the session."""

    @abstractmethod
    def put_up(self, item: ItemT) -> None:
        """Show an item."""

    @abstractmethod
    def end_text(self) -> Content:
        """What is said when nothing is left."""

    @abstractmethod
    def _paint_words(self) -> None:
        """Paint everything but the answer."""

    @property
    def answer(self) -> AnswerPane:
        return self.query_one("#answer", AnswerPane)

    def put_answer(self, text: str) -> None:
        self._serial += 1
        self.answer.put(text, self._serial)

    # the queue
    def on_mount(self) -> None:
        self.set_interval(LOOK_AGAIN_SECONDS, self._look_again)

    def opened(self, **_: Any) -> None:
        super().opened()
        self._paint_words()

    def _ask(self, missing: int) -> None:
        ask = self.next_page(missing, self.session.held())
        self.call(ask, self._received, failed=self._not_received, group="queue")

    def _not_received(self, error: RlftError) -> None:
        self._asking = False
        self._trouble = str(error)
        self._paint_words()

    def _received(self, page: QueuedPage[ItemT, ProgressT]) -> None:
        self._asking = False
        self._trouble = ""
        if self.session.receive(page) or self.session.current is None:
            self._show()

    def _show(self) -> None:
        item = self.session.current
        self._set_ended(item is None and self.session.phase == "finished")
        if item is None:
            self._refill()
            self.say("#ended", self.end_text())
        else:
            self.put_up(item)
        self._paint_words()

    def _answer_seen(self) -> None:
        self._note_painted()
        self._refill()

    def _note_painted(self) -> None:
        """Take note that the answer was drawn, over a slow link that the terminal has read it."""
        if self.answer.painted_serial == self._serial and pace_of(self.app).seen:
            self.session.painted(self.answer.painted_at)

    # storing
    def store(self, call: Callable[[WorkspaceClient], ProgressT]) -> None:
        """Store what was said; the next item is up once that is durable."""
        self.bench.label_writer.put_call(call, self._stored, self._refused, self._delayed)

    def _stored(self, progress: ProgressT) -> None:
        self._trouble = ""
        self.session.stored(progress)
        self._show()

    def _refused(self, error: RlftError) -> None:
        self._trouble = ""
        self.session.refused()
        self.bench.show_error(error)
        self._paint_words()

    def _delayed(self, error: RlftError) -> None:
        self._trouble = f"not stored yet, trying again: {error.what}"
        self._paint_words()

    def action_skip(self) -> None:
        self._note_painted()
        if self.session.skip(self.key_time):
            self._show()

    # undo
    def action_undo(self) -> None:
        self._note_painted()
        if self.session.begin_undo():
            self.call(
                self.take_back,
                self._taken_back,
                failed=self._cannot_undo,
                group="undo",
                retry=False,  # done twice it would take back the one before too
            )

    def _taken_back(self, taken: tuple[ItemT, LabelT, ProgressT]) -> None:
        self.bring_back(*taken)
        self._show()

    def _cannot_undo(self, error: RlftError) -> None:
        self.session.cancel_undo()
        self.notify(str(error), severity="warning", markup=False)

    # scrolling
    def action_page(self, pages: int) -> None:
        self.answer.scroll_page(pages)

    def action_rows(self, rows: int) -> None:
        self.answer.scroll_lines(rows)
