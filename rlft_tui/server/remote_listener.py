"""The workspace served on a TCP port as well, for as long as somebody wants it to be."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn

from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.server.answers import RemoteState
from rlft_tui.server.lifecycle import AsgiApp
from rlft_tui.server.remote_access import RemoteToken, TokenGate

log = logging.getLogger("rlft.server")
KEEP_ALIVE = 7 * 24 * 3600
"""An open connection is a client; uvicorn must not hang up on one that is quiet."""


class _TcpServer(uvicorn.Server):
    """Leaves the signals to the server on the socket, which ends this one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RemoteListener:
    """At most one TCP port, behind the token. Belongs to the event loop's thread."""

    def __init__(self, app: AsgiApp, token: RemoteToken) -> None:
        self._app = app
        self._token = token
        self._server: _TcpServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self._state = RemoteState(listening=False)

    def state(self) -> RemoteState:
        return self._state

    @property
    def connections(self) -> int:
        """Clients from elsewhere that are connected now."""
        return len(self._server.server_state.connections) if self._server is not None else 0

    async def start(self, host: str, port: int, *, openai: bool = False) -> RemoteState:
        """Listen; asked again with the same values, nothing changes. Port 0 takes a free one.

        ``openai``: models may be asked through it as well.

        The token is made before anything listens. ConflictError: it listens elsewhere already.
        UnavailableError: the address cannot be had.
        """
        if self._server is not None:
            same = (host, port) in ((self._state.host, self._state.port), (self._state.host, 0))
            if not same or openai != self._state.openai:
                raise ConflictError(
                    f"the workspace is served at {self._state.url} already",
                    remedy="End that rlft serve first",
                )
            return self._state
        self._token.text()
        try:
            listener = await asyncio.to_thread(_listen, host, port)
        except (socket.gaierror, ValueError, OverflowError):
            raise RlftError("no such address", where=f"{host[:80]!r}:{port}") from None
        except OSError as error:
            raise UnavailableError(
                f"cannot listen there ({(error.strerror or str(error)).lower()})",
                where=f"{host}:{port}",
                remedy="Choose another --host or --port",
            ) from None
        self._server = _TcpServer(
            uvicorn.Config(
                TokenGate(self._app, self._token, openai=openai),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=5,
                server_header=False,
                date_header=False,
            )
        )
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        self._state = RemoteState(True, host, listener.getsockname()[1], openai)
        log.info("serving other machines at %s", self._state.url)
        return self._state

    async def stop(self) -> RemoteState:
        """Listen no longer and end the connections; returns once they have ended."""
        if self._server is not None and self._serving is not None:
            log.info("serving no other machines any more")
            self._server.should_exit = True
            serving = self._serving
            self._server, self._serving = None, None
            self._state = RemoteState(listening=False)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(serving)
        return self._state


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # The port of a server that was killed is free for the next one at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
