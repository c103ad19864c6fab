"""The one ordered queue through which every verdict, mark, score, ranking and revocation is stored."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from rlft_tui.errors import RlftError
from rlft_tui.labels.preference import LabelOperation, Progress
from rlft_tui.record import Record
from rlft_tui.tui.server_link import ServerLink

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

T = TypeVar("T")


class _Write(Record, frozen=True):
    call: Callable[[WorkspaceClient], Any]
    stored: Callable[[Any], None]
    refused: Callable[[RlftError], None]
    delayed: Callable[[RlftError], None]


def _add(operation: LabelOperation, client: WorkspaceClient) -> Progress:
    return client.add_label(operation)


class LabelWriter:
    """Stores operations one after the other, each until the server has acknowledged it.

    An operation keeps its id over all attempts, so that repeating it stores it once.
    """

    def __init__(self, link: ServerLink) -> None:
        self._link = link
        self._waiting: deque[_Write] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Operations not yet acknowledged."""
        return len(self._waiting)

    def put(
        self,
        operation: LabelOperation,
        stored: Callable[[Progress], None],
        refused: Callable[[RlftError], None],
        delayed: Callable[[RlftError], None] = lambda _: None,
    ) -> None:
        """Store ``operation`` after those before it.

        ``stored`` is called once it is durable, ``refused`` when the server will never take it,
        ``delayed`` at each attempt that did not reach the server.
        """
        self.put_call(partial(_add, operation), stored, refused, delayed)

    def put_call(
        self,
        call: Callable[[WorkspaceClient], T],
        stored: Callable[[T], None],
        refused: Callable[[RlftError], None],
        delayed: Callable[[RlftError], None] = lambda _: None,
    ) -> None:
        """The same for any call that stores something durably and is safe to repeat."""
        self._waiting.append(_Write(call, stored, refused, delayed))
        self._idle.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Write for ever; the app runs this once."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                write = self._waiting[0]
                try:
                    answer = await self._link.keep(write.call, write.delayed)
                except RlftError as error:
                    self._waiting.popleft()
                    write.refused(error)
                else:
                    self._waiting.popleft()
                    write.stored(answer)
            self._idle.set()

    async def finish(self, seconds: float) -> bool:
        """Wait until all is stored; False when that took longer than ``seconds``."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True
