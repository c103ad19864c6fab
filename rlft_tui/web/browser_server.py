"""The workbench in a browser, through textual-serve: one process of it a tab, behind the gate."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

from rlft_tui.errors import UnavailableError
from rlft_tui.web.gate import Gate

MOST_TABS = 12
"""Each is a process of its own."""
FONT_SIZES = (8, 40)


class BrowserServer(Server):
    """Serves one workspace."""

    def __init__(self, workspace: Path, token: str, host: str, port: int) -> None:
        """UnavailableError when the port is taken or not this user's to open."""
        try:
            self._socket = _listen(host, port)
        except OSError as error:
            raise UnavailableError(
                f"the port cannot be opened: {(error.strerror or str(error)).lower()}",
                where=f"{host}:{port}",
                remedy="Choose another with --port, or 0 for a free one",
            ) from None
        self.bound = int(self._socket.getsockname()[1])
        command = [sys.executable, "-P", "-m", "rlft_tui.cli.main", "--workspace", str(workspace)]
        super().__init__(
            shlex.join(command),
            host=host,
            port=self.bound,
            title=f"rlft · {workspace.name}",
            templates_path=Path(__file__).parent / "templates",
        )
        self._gate = Gate(token, self.bound)
        self._tabs = 0

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; ``ready`` is called when it listens."""
        # What the workbench sees of its terminal: a browser's, whatever this one is.
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.environ.pop("NO_COLOR", None)
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: Callable[[], None]) -> None:
        # No access log: the first request of each browser has the token in it.
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=5.0)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        ready()
        # textual-serve prints what a workbench complained of; that is talk, not a result.
        sys.stdout.flush()
        sys.stdout = sys.stderr
        try:
            await ended.wait()
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._gate.__call__)
        app.router.add_static("/own", Path(__file__).parent / "static")
        app.on_startup.clear()  # it would greet on stdout, which is for results
        return app

    @aiohttp_jinja2.template("workbench.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        """Addresses as the browser knows them: behind a forwarded port they are others than ours."""
        size = request.query.get("fontsize", "16")
        low, high = FONT_SIZES
        return {
            "title": self.title,
            "socket": f"{'wss' if request.secure else 'ws'}://{request.host}/ws",
            "font_size": min(max(int(size), low), high) if size.isdecimal() else 16,
        }

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if self._tabs >= MOST_TABS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_TABS} tabs are open, which is the most.\n")
        self._tabs += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._tabs -= 1


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening
