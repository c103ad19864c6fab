"""Live frames paced by the terminal, so that a slow link never lags behind.

After a live frame the terminal is asked for its cursor position. Until it answers it
hasn't read that frame, and further live frames are held back: over a slow link keys
then overtake nothing but one frame. A terminal that never answers is left unpaced.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App
from textual.timer import Timer

ASK = "\x1b[6n"
"""Device status report: the terminal answers with its cursor position."""

PATIENCE = 4.0
"""Seconds after which an answer is no longer expected."""

GIVEN_UP = 3
"""Answers missed in a row after which the terminal isn't asked again."""

SLOW = 0.1
"""Seconds from asking to the answer from which on a link is slow."""


class TerminalPace:
    """Tells when the next live frame may be drawn, and over a slow link when the last one was seen.

    The app passes the answers on: ``def on_cursor_position(self, _): pace_of(self).answered()``.
    An app without that handler is never paced.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: dict[object, Callable[[], None]] = {}
        self._timer: Timer | None = None
        self._due = False
        """The terminal will be asked after the frame that is being made."""
        self._asked = False
        self._asked_at = 0.0
        self._behind = False
        """A frame was sent since the terminal was asked: its answer says nothing about that one."""
        self._unseen: dict[object, Callable[[], None]] = {}
        self._round_trip = 0.0
        """Seconds of the last answer; 0 before the first, and when the terminal has stopped answering."""
        self._missed = 0

    @property
    def ready(self) -> bool:
        """Whether the terminal has read every frame so far."""
        return not self._asked

    @property
    def seen(self) -> bool:
        """Whether what was drawn can be taken for seen: over a slow link once the terminal has read it."""
        return self._round_trip < SLOW or not (self._due or self._asked)

    def frame_sent(self) -> None:
        """A live frame was handed to Textual: ask the terminal once it is written.

        Several widgets may draw until then; they share the frame.
        """
        if self._due or not self._can_ask():
            return
        if self._asked:
            self._behind = True
            return
        self._due = True
        self._app.call_after_refresh(self._ask)

    def when_seen(self, who: object, call: Callable[[], None]) -> None:
        """Call ``call`` once all that was drawn is ``seen``, maybe now; of each ``who`` the newest counts.

        A key comes after the terminal's answer exactly when it was pressed with that frame in view.
        """
        if self.seen:
            call()
        else:
            self._unseen[who] = call

    def when_ready(self, who: object, draw: Callable[[], None]) -> None:
        """Call ``draw`` now or when the terminal has answered; the newest one of each ``who`` counts."""
        if self.ready:
            draw()
        else:
            self._waiting[who] = draw

    def forget(self, who: object) -> None:
        """``who`` has nothing to draw any more."""
        self._waiting.pop(who, None)
        self._unseen.pop(who, None)

    def answered(self) -> None:
        """The terminal has told its cursor position."""
        self._missed = 0
        if self._asked:
            self._round_trip = monotonic() - self._asked_at
        self._release()

    def _can_ask(self) -> bool:
        return (
            self._missed < GIVEN_UP
            and not self._app.is_headless
            and not self._app.is_inline
            and hasattr(self._app, "on_cursor_position")
        )

    def _ask(self) -> None:
        self._due = False
        self._asked = True
        self._asked_at = monotonic()
        self._timer = self._app.set_timer(PATIENCE, self._gave_up)
        self._write(ASK)

    def _write(self, sequence: str) -> None:
        driver = self._app._driver
        if driver is not None:
            driver.write(sequence)

    def _gave_up(self) -> None:
        self._missed += 1
        self._round_trip = 0.0
        self._release()

    def _release(self) -> None:
        self._asked = False
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for draw in waiting.values():
            draw()
        if self._behind:
            self._behind = False
            self.frame_sent()
        if self.seen:
            unseen, self._unseen = self._unseen, {}
            for call in unseen.values():
                call()


_paces: WeakKeyDictionary[App[Any], TerminalPace] = WeakKeyDictionary()


def pace_of(app: App[Any]) -> TerminalPace:
    """The app's pace; one an app."""
    pace = _paces.get(app)
    if pace is None:
        pace = _paces[app] = TerminalPace(app)
    return pace
