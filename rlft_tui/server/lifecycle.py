"""One server a workspace: where it listens, when it ends, what it must never outlive."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlft_tui.errors import UnavailableError
from rlft_tui.paths import Workspace

log = logging.getLogger("rlft.server")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def listen(path: Path) -> socket.socket:
    """A private listening socket at ``path``. Only the holder of the workspace lock may call this:
    a socket file already there is then left over from a server that is gone."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(previous)
    listener.listen(128)
    listener.setblocking(False)
    return listener


class SocketFile:
    """The socket's entry on disk; removed at the end only while it is still ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode = path.stat().st_ino

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()


class WorkspaceGuard:
    """Knows the very folder and database that were opened, and notices when they are replaced.

    A server whose workspace was moved away or replaced would acknowledge verdicts
    into files that nobody will read again.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._files = {path: _identity(path) for path in (workspace.root, workspace.database)}
        self.broken = False

    def is_in_place(self) -> bool:
        if not self.broken:
            self.broken = any(_identity(path) != own for path, own in self._files.items())
        return not self.broken

    def check(self) -> None:
        """UnavailableError once the workspace is not the one that was opened."""
        if not self.is_in_place():
            raise UnavailableError(
                "the workspace was moved or replaced while its server ran; nothing was stored",
                where=str(self.workspace.root),
                remedy="The server ends now; repeat the command",
            )


FIRST_CLIENT_SECONDS = 30.0
"""Whoever started the server may take this long, on a busy machine, to ask it something."""


class Activity:
    """ASGI layer that knows when a client was last here."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.last = time.monotonic() + FIRST_CLIENT_SECONDS
        self.requests = 0
        """Requests being answered now, streams included."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.requests += 1
        self.last = time.monotonic()
        try:
            await self._app(scope, receive, send)
        finally:
            self.requests -= 1
            self.last = time.monotonic()

    def idle_seconds(self) -> float:
        return 0.0 if self.requests else time.monotonic() - self.last


async def watch(
    *,
    activity: Activity,
    guard: WorkspaceGuard,
    idle_seconds: float,
    busy: Callable[[], bool],
    connected: Callable[[], bool],
    end: Callable[[str], None],
) -> None:
    """Ends the server when nobody needs it any more, or when its workspace is gone.

    ``busy``: a run is active or queued. ``connected``: a client holds a connection open.
    """
    pause = min(1.0, max(0.05, idle_seconds / 10))
    while True:
        await asyncio.sleep(pause)
        if not guard.is_in_place():
            end("the workspace was moved or replaced")
            return
        if activity.idle_seconds() < idle_seconds or connected():
            continue
        if not await asyncio.to_thread(busy):
            end(f"idle for {idle_seconds / 60:g} minutes")
            return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_dev
