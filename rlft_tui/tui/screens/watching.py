"""A screen that reads the server again and again while it is in front."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.server_link import LinkState

RETRY_SECONDS = 1.0


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
        self.run_worker(self._watch(), group="watch", exclusive=True)

    def on_screen_suspend(self) -> None:
        self.workers.cancel_group(self, "watch")

    def link_changed(self, state: LinkState, reason: str) -> None:
        super().link_changed(state, reason)
        if state == "up":
            self.look_now()

    async def _watch(self) -> None:
        told = ""
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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), pause)
