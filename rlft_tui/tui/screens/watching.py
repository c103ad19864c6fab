"""A screen that reads the server again and again while it is in front."""

from __future__ import annotations

import asyncio
import contextlib
from time import process_time
from typing import Any, ClassVar

from textual import events
from textual.worker import Worker

from rlft_tui.errors import RlftError
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.server_link import LinkState

RETRY_SECONDS = 1.0
SHARE = 0.045
"""Of one core, what watching may take: a look that cost more than usual makes the next one wait."""
LONGEST_WAIT = 0.75
"""Seconds up to which it waits for that; a row is to be on screen within a second."""
SHORT = 16
"""Rows under which the list matters more than what is said of its row."""


class WatchingScreen(WorkbenchScreen):
    """Write ``look()``; it runs at once when the screen is shown, and never while it is not."""

    def __init__(self) -> None:
        super().__init__()
        self._again = asyncio.Event()

    async def look(self) -> float:
        """Read, paint what has changed, and say in how many seconds to look again."""
        raise RlftError("this screen shows nothing")

    def look_failed(self, error: RlftError) -> None:
        """The server gave no answer, or refused. The loop goes on."""
        self.bench.show_error(error)

    def look_now(self) -> None:
        self._again.set()

    def opened(self, **values: Any) -> None:
        # Given as a function: it may never run.
        _: Worker[None] = self.run_worker(self._watch, group="watch", exclusive=True)

    def on_screen_suspend(self) -> None:
        self.workers.cancel_group(self, "watch")

    def link_changed(self, state: LinkState, reason: str) -> None:
        super().link_changed(state, reason)
        if state == "up":
            self.look_now()

    async def _watch(self) -> None:
        told = ""
        spent = process_time()
        while True:
            self._again.clear()
            try:
                pause = await self.look()
                told = ""
            except RlftError as error:
                pause = RETRY_SECONDS
                if str(error) != told:
                    told = str(error)
                    self.look_failed(error)
            # With what was painted since the last look.
            before, spent = spent, process_time()
            pause = max(pause, min((spent - before) / SHARE, LONGEST_WAIT))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), pause)


class WatchedListScreen(WatchingScreen):
    """A list that is read again and again; until it was read it says so, or why it could not be.

    Write ``look()``, which calls ``show()`` once it has read, and ``draw()``.
    """

    LIST: ClassVar[str] = ""
    """Selector of the list."""
    DEFAULT_CSS = """
    WatchedListScreen.-short #detail { height: 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = False
        """Something was read."""
        self._wanted = ""

    def opened(self, *, key: str = "", **values: Any) -> None:
        """``key``: the row to put the cursor on."""
        self._wanted = key or self._wanted
        super().opened(**values)

    def draw(self) -> None:
        """Draw what was read last into the width there is."""

    def paint(self) -> None:
        """Draw it anew, such as in another order; nothing while nothing was read."""
        if self._shown:
            self.draw()

    def show(self) -> None:
        """Draw what was just read; the keys depend on it when it is the first."""
        first, self._shown = not self._shown, True
        self.paint()
        if self._wanted:
            self.pane.go_to(self._wanted)
            self._wanted = ""
        if first:
            self.refresh_bindings()

    @property
    def pane(self) -> ListPane:
        return self.query_one(self.LIST, ListPane)

    def look_failed(self, error: RlftError) -> None:
        if self._shown:
            super().look_failed(error)
        else:
            self.pane.show((), empty=run_text.plain(str(error)))

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < SHORT, "-short")
        self.paint()
