"""The workbench's one connection to the workspace server: made late, renewed when lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from rlft_tui.errors import RlftError, UnavailableError

if TYPE_CHECKING:
    from rlft_tui.client.remote_place import RemotePlace
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.paths import Workspace

T = TypeVar("T")
LinkState = Literal["connecting", "up", "silent", "lost"]
"""silent: the server is there and does not answer."""
SILENT_SECONDS = 3.0
"""A call that takes longer makes the link ask whether the server answers at all."""
PING_SECONDS = 1.5
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
"""Waits between attempts to reach the server again; the last one repeats."""


def connect_here(workspace: Workspace, say: Callable[[str], None]) -> WorkspaceClient:
    """A client of the workspace's own server, which is started when needed."""
    # imported here, in a thread, so that the first frame does not wait for httpx
    from rlft_tui.client.connection import connect

    return connect(workspace, say=say)


def connect_there(place: RemotePlace) -> WorkspaceClient:
    """A client of another machine's server."""
    from rlft_tui.client.remote import connect_remote

    return connect_remote(place)


class ServerLink:
    """Runs client calls in threads and connects again, in the background, when the server is gone.

    All methods belong to the event loop's thread; ``changed`` is called there as well.
    """

    def __init__(
        self, connect: Callable[[], WorkspaceClient], changed: Callable[[LinkState, str], None]
    ) -> None:
        self._connect = connect
        self._changed = changed
        self._client: WorkspaceClient | None = None
        self._lock: asyncio.Lock | None = None
        self.state: LinkState = "connecting"
        self._running = 0
        self._counting = threading.Lock()

    async def client(self) -> WorkspaceClient:
        """The connection, made now if there is none. UnavailableError when it cannot be made."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._client is None:
                try:
                    self._client = await self._threaded(self._connect)
                except RlftError as error:
                    self._tell("lost", str(error))
                    raise
                self._tell("up", "")
            return self._client

    async def call(self, what: Callable[[WorkspaceClient], T], *, retry: bool = True) -> T:
        """Run ``what`` in a thread; with ``retry`` once more when nobody answered.

        The client itself starts a server that died and repeats what is safe to repeat.
        """
        client = await self.client()
        try:
            answer = await self._watched(client, what)
        except UnavailableError as error:
            if not (self._is_lost(client, error) and retry):
                raise
            await asyncio.sleep(RETRY_SECONDS[0])
            answer = await self._watched(client, what)
        self._tell("up", "")
        return answer

    async def keep(self, what: Callable[[WorkspaceClient], T], delayed: Callable[[RlftError], None]) -> T:
        """Run ``what`` until the server could do it; for idempotent writes that must not be lost.

        ``delayed`` is told of each failed attempt. Errors other than UnavailableError are raised.
        """
        attempt = 0
        while True:
            try:
                client = await self.client()
                try:
                    answer = await self._watched(client, what)
                except UnavailableError as error:
                    self._is_lost(client, error)
                    raise
            except UnavailableError as error:
                delayed(error)
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1
            else:
                self._tell("up", "")
                return answer

    async def _watched(self, client: WorkspaceClient, what: Callable[[WorkspaceClient], T]) -> T:
        """Run ``what`` in a thread, and tell when the server falls silent over it and when it is back."""
        asked = asyncio.ensure_future(self._threaded(partial(what, client)))
        try:
            while not (await asyncio.wait({asked}, timeout=SILENT_SECONDS))[0]:
                answers = await self._threaded(partial(client.answers, PING_SECONDS))
                if not asked.done() and self.state in ("up", "silent"):
                    self._tell("up" if answers else "silent", "" if answers else "no answer")
            return asked.result()
        finally:
            asked.cancel()

    def _is_lost(self, client: WorkspaceClient, error: UnavailableError) -> bool:
        """Whether nobody answered, as against a server that says what it cannot do now."""
        lost = error.where == client.address
        if lost:
            self._tell("lost", str(error))
        return lost

    @property
    def busy(self) -> bool:
        """Whether a call runs in a thread; one that nobody waits for any more counts too."""
        return self._running > 0

    async def close(self) -> None:
        """Close the connection, unless a thread is using it: the end of the process does that then."""
        if self._client is not None and not self.busy:
            client, self._client = self._client, None
            client.close()

    async def _threaded(self, call: Callable[[], T]) -> T:
        def run() -> T:
            try:
                return call()
            finally:
                with self._counting:
                    self._running -= 1

        with self._counting:
            self._running += 1
        return await asyncio.to_thread(run)

    def _tell(self, state: LinkState, reason: str) -> None:
        if state != self.state:
            self.state = state
            self._changed(state, reason)
