"""A screen on which one thing follows another: when more is asked for, and when a key can count."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from textual import on

from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.queue_walk import QueueWalk
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.server_link import LinkState
from rlft_tui.tui.widgets.terminal_pace import pace_of

LOOK_AGAIN_SECONDS = 2.0
"""How often an ended queue is asked for more."""


class WalkScreen(WorkbenchScreen):
    """What Label, Score and Rank have in common. Their answers stand in AnswerPanes."""

    session: QueueWalk[Any, Any]
    OF_ONE: ClassVar[frozenset[str]] = frozenset()
    """Actions on what is up: the key bar leaves them out when nothing is left."""

    def __init__(self) -> None:
        super().__init__()
        self._serial = 0
        """Of what is up: a key counts once that one is painted."""
        self._asking = False
        """Whether the next items are on their way."""
        self._trouble = ""
        """What is wrong now, for the status line."""

    @abstractmethod
    def _ask(self, missing: int) -> None:
        """Ask the server for so many items; ``_asking`` is to be False again once it has answered."""

    @abstractmethod
    def _answer_seen(self) -> None:
        """The terminal has read what is up, or some of it."""

    def opened(self, **_: Any) -> None:
        self.session.look_again()
        self._refill()

    def link_changed(self, state: LinkState, reason: str) -> None:
        super().link_changed(state, reason)
        if state == "up" and self.session.current is None:
            self._refill()

    def _refill(self) -> None:
        missing = self.session.missing()
        if missing and not self._asking:
            self._asking = True
            self._ask(missing)

    def _look_again(self) -> None:
        if self.is_current and self.session.phase in ("finished", "empty"):
            self.session.look_again()
            self._refill()

    def in_key_bar(self, action: str) -> bool:
        ended = action in self.OF_ONE and self.has_class("-ended")
        return not ended and super().in_key_bar(action)

    def _set_ended(self, ended: bool) -> None:
        if ended != self.has_class("-ended"):
            self.set_class(ended, "-ended")
            self.refresh_bindings()

    @on(AnswerPane.Painted)
    def _pane_painted(self, message: AnswerPane.Painted) -> None:
        if message.serial == self._serial:
            pace_of(self.app).when_seen(self, self._answer_seen)
