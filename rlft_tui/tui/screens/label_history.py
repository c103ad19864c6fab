"""Looking back in Label: the history, a verdict revised, the last one taken back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rlft_tui.errors import RlftError
from rlft_tui.labels.label_queue import left_side
from rlft_tui.labels.preference import BetterAnswer, HistoryEntry, Mark, Preference, Progress, Recorded
from rlft_tui.labels.queue_item import QueueItem
from rlft_tui.labels.queue_view import QueueView
from rlft_tui.tui.label_session import last_standing
from rlft_tui.tui.screens.label_answers import LabelAnswers

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

HISTORY = 50


class LabelHistory(LabelAnswers):
    """Going back to what was decided."""

    # history
    def action_history(self) -> None:
        from rlft_tui.tui.screens.history import HistoryScreen

        self.session.clock.leave(self.key_time)
        self.bench.push_screen(HistoryScreen(self.session.labeler, self._taken_back), self._revise)

    def _taken_back(self, operation: Recorded, progress: Progress) -> None:
        self.session.progress = progress
        if isinstance(operation, BetterAnswer):
            self.session.written.pop(operation.example_id, None)
        else:
            self.session.reopened(operation.example_id)
        self._refill()
        self._paint_status()

    def _revise(self, entry: HistoryEntry | None) -> None:
        if entry is None:
            return
        operation = entry.operation
        if isinstance(operation, Mark) and not entry.revoked:
            if self.session.begin_undo():  # a pair set aside is open again once its mark is gone
                self._take_back(operation)
            return

        def found(item: QueueItem) -> None:
            former: Preference | Mark | None = None if isinstance(operation, BetterAnswer) else operation
            if not self.session.revise(item, former, stands=not entry.revoked):
                self.notify("Not now: the last verdict is being stored", severity="warning")
                return
            self._show()
            if isinstance(operation, BetterAnswer):
                self.action_write()

        labeler = self.session.labeler
        self.call(
            partial(_find_pair, labeler, self.bench.queue_view, operation.example_id), found, group="revise"
        )

    # undo
    def action_undo(self) -> None:
        """Take the last one back. Pressed again before that is done, it counts: each press is one."""
        self._note_painted()
        if self.session.begin_undo():
            self._find_last(HISTORY)
        elif self.session.phase in ("storing", "undoing", "painting"):
            self._undos += 1

    def _ready(self) -> None:
        if self._undos and self.session.phase in ("judging", "finished", "empty"):
            self._undos -= 1
            self.action_undo()

    def _find_last(self, limit: int) -> None:
        labeler = self.session.labeler

        def found(history: tuple[HistoryEntry, ...]) -> None:
            target = last_standing(history)
            if target is not None:
                self._take_back(target)
            elif len(history) >= limit:
                self._find_last(limit * 4)
            else:
                self._cannot_undo(RlftError("nothing to take back"))

        self.call(
            lambda client: client.history(labeler, limit=limit), found, failed=self._cannot_undo, group="undo"
        )

    def _take_back(self, target: Recorded) -> None:
        labeler = self.session.labeler

        def stored(progress: Progress) -> None:
            self._settle()
            if isinstance(target, BetterAnswer):
                self.session.unwritten(target, progress)
                self.notify("The written answer was taken back; w opens it as a draft")
                self._paint_headings()
                self._paint_status()
                self._ready()
                return

            def back(item: QueueItem) -> None:
                self.session.bring_back(item, target, progress)
                self._show()

            self.call(
                partial(_find_pair, labeler, self.bench.queue_view, target.example_id),
                back,
                failed=self._cannot_undo,
                group="undo",
            )

        revocation = self.session.take_back(target)
        self.bench.label_writer.put(revocation, stored, self._cannot_undo, self._delayed)

    def _cannot_undo(self, error: RlftError) -> None:
        self._settle()
        self._undos = 0
        self.session.pending = None
        self.session.cancel_undo()
        self.notify(str(error), severity="warning", markup=False)
        self._paint_status()


def _find_pair(labeler: str, view: QueueView, pair_id: str, client: WorkspaceClient) -> QueueItem:
    """A pair that is open again stands first in the queue, with its side."""
    for item in client.queue(labeler, limit=1, view=view).items:
        if item.pair.id == pair_id:
            return item
    return QueueItem(client.pair(pair_id), left_side(labeler, pair_id))
