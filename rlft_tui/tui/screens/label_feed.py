"""What goes between Label and the server: the next pairs come, what was decided is stored."""

from __future__ import annotations

from typing import Any

from textual.timer import Timer

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.labels.preference import LabelOperation, Progress
from rlft_tui.labels.queue_item import QueuePage
from rlft_tui.labels.queue_view import QueueChoices, QueueView
from rlft_tui.tui.label_text import end_text
from rlft_tui.tui.screens.label_view import LabelView
from rlft_tui.tui.screens.walk_screen import LOOK_AGAIN_SECONDS
from rlft_tui.tui.terminal import window_name

SLOW_SECONDS = 0.4
"""A verdict that takes longer to store says so."""
TOO_EARLY = "looking for the next pair… there is none up yet: that key did nothing"


class LabelFeed(LabelView):
    """One pair after the other, each shown once the verdict on the last one is stored."""

    def __init__(self) -> None:
        super().__init__()
        self._slow: Timer | None = None
        self._again: Timer | None = None
        self._view: QueueView | None = None
        """Which pairs were asked for last; another screen may choose others."""
        self._drawn: object = None
        """The pair that was drawn last."""
        self._undos = 0
        """Times that undo was pressed and is still to be done."""

    # the queue
    def opened(self, **_: Any) -> None:
        self._paint_mode()
        if self._view not in (None, self.bench.queue_view):
            self.session.change_queue(at_once=True)
        self._view = self.bench.queue_view
        super().opened()
        self._paint_status()

    def _ask(self, missing: int) -> None:
        labeler, held, view = self.session.labeler, self.session.held(), self.bench.queue_view
        window = window_name()

        def received(page: QueuePage) -> None:
            if view == self.bench.queue_view:
                self._received(page)
            else:
                self._asking = False
                self._refill()

        self.call(
            lambda client: client.queue(labeler, limit=missing, exclude=held, view=view, window=window),
            received,
            failed=self._not_received,
            group="queue",
        )

    def _not_received(self, error: RlftError) -> None:
        self._asking = False
        if self.session.current is None:
            self._trouble = str(error)
            self._paint_status()

    def _received(self, page: QueuePage) -> None:
        self._asking = False
        self._trouble = ""
        if self.session.receive(page):
            self._show()
        elif self.session.current is None:
            self._show_end()
        else:
            self._paint_status()
        self._prefetch()

    def _show(self) -> None:
        """Put the current pair on screen; keys count once it is painted."""
        shown = self.session.current
        if shown is None:
            self._refill()
            if self.session.phase != "loading":
                self._show_end()
            return
        self._set_ended(False)
        if shown.key != self._drawn:
            # Nobody judges a pair with one answer out of sight for having zoomed the last one.
            self.remove_class("-left", "-right")
            self._drawn = shown.key
        self._draw(shown)

    def _answer_seen(self) -> None:
        if self._note_painted():
            self._refill()
            self._prefetch()
            self._ready()

    def _show_end(self) -> None:
        self._set_ended(True)
        self.say("#ended", end_text(self.session, self._names["label.undo"]))
        self._paint_status()
        self._ready()
        if self._again is None:
            self._again = self.set_interval(LOOK_AGAIN_SECONDS, self._look_again)

    def _ready(self) -> None:
        """Keys count again: extend for what was asked for meanwhile."""

    # which pairs
    def action_queue(self) -> None:
        """Ask which pairs come next, and in which order."""
        from rlft_tui.tui.screens.queue_view import QueueViewScreen

        self.session.clock.leave(self.key_time)

        def chosen(view: QueueView | None) -> None:
            if view is None or view == self.bench.queue_view:
                return
            self.bench.queue_view = self._view = view
            self.session.change_queue()
            self._trouble = ""
            self._refill()
            self._paint_status()

        def ask(choices: QueueChoices) -> None:
            self.bench.push_screen(QueueViewScreen(self.bench.queue_view, choices), chosen)

        self.call(lambda client: client.queue_choices(), ask, group="queue-choices")

    # storing
    def _store(self, operation: LabelOperation | None) -> None:
        if operation is None:
            self._say_too_early()
            return
        self._undos = 0  # asked for before this: it is not about this one
        self._slow = self.set_timer(SLOW_SECONDS, self._say_slow)
        self.bench.label_writer.put(operation, self._stored, self._refused, self._delayed)

    def _say_too_early(self) -> None:
        """A key about a pair that nobody has seen does nothing, and says so."""
        if self.session.current is None and self.session.phase == "loading" and not self._trouble:
            self.say("#status", TOO_EARLY)

    def _stored(self, progress: Progress) -> None:
        self._settle()
        self.session.stored(progress)
        self._show()

    def _refused(self, error: RlftError) -> None:
        self._settle()
        self.session.refused(keep=not isinstance(error, NotFoundError))
        self.bench.show_error(error)
        self._show()

    def _delayed(self, error: RlftError) -> None:
        self._trouble = f"not stored yet, trying again: {error.what}"
        self._paint_status()
        self._paint_headings()

    def _say_slow(self) -> None:
        if self.session.pending is not None and not self._trouble:
            self._trouble = "storing…"
            self._paint_status()
            self._paint_headings()

    def _settle(self) -> None:
        self._trouble = ""
        if self._slow is not None:
            self._slow.stop()
            self._slow = None
