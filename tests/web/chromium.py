"""A headless Chromium, spoken to over its own DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

WAIT_SECONDS = 90.0


def chromium() -> str | None:
    """The browser's program, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab: what it receives over WebSockets, its keys, its picture."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self.received = ""
        """Everything that WebSockets brought, as text."""
        self.sockets: list[str] = []
        """Addresses of the WebSockets opened."""
        self.outside: list[str] = []
        """Addresses asked for that are not on this machine."""
        self._reader = asyncio.create_task(self._read())

    async def ask(self, method: str, **values: Any) -> dict[str, Any]:
        self._last += 1
        reply = self._replies[self._last] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._last, "method": method, "params": values})
        return await asyncio.wait_for(reply, WAIT_SECONDS)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for what the page receives."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"waited for {what}; last received: {self.received[-500:]!r}") from None

    async def press(self, digit: str) -> None:
        """Press and release a digit's key."""
        key = {"key": digit, "code": f"Digit{digit}", "windowsVirtualKeyCode": ord(digit)}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=digit, **key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **key)

    async def value(self, expression: str) -> Any:
        return (await self.ask("Runtime.evaluate", expression=expression))["result"].get("value")

    async def becomes(self, expression: str) -> None:
        """Wait until the page itself finds this true."""
        look = f"const look = () => ({expression}) ? done() : setTimeout(look, 30)"
        waiting = f"new Promise(done => {{ {look}; look(); }})"
        await self.ask("Runtime.evaluate", expression=waiting, awaitPromise=True)

    async def picture(self) -> bytes:
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])

    async def _read(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event:
                self._replies.pop(event["id"]).set_result(event.get("result", {}))
                continue
            values = event.get("params", {})
            if event["method"] == "Network.webSocketCreated":
                self.sockets.append(values["url"])
            elif event["method"] == "Network.webSocketFrameReceived":
                frame = values["response"]
                data = frame["payloadData"]
                self.received += (
                    base64.b64decode(data).decode(errors="replace") if frame["opcode"] == 2 else data
                )
            elif event["method"] == "Network.requestWillBeSent":
                url = values["request"]["url"]
                if not url.startswith(("http://127.0.0.1", "data:", "blob:")):
                    self.outside.append(url)
            self._news.set()


@asynccontextmanager
async def open_page(width: int = 1100, height: int = 760) -> AsyncIterator[Page]:
    """A browser of its own with one empty tab."""
    program = chromium()
    assert program is not None
    home = Path(tempfile.mkdtemp(prefix="rlft-chromium-"))
    process = await asyncio.create_subprocess_exec(
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--remote-debugging-port=0", f"--user-data-dir={home}", f"--window-size={width},{height}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    try:
        port = await asyncio.wait_for(_port(process), WAIT_SECONDS)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as response:
                tabs = json.loads(await response.text())
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                await page.ask("Network.enable")
                await page.ask("Page.enable")
                yield page
                page._reader.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        shutil.rmtree(home, ignore_errors=True)


async def _port(process: asyncio.subprocess.Process) -> int:
    """Chromium says on stderr where it listens."""
    assert process.stderr is not None
    async for line in process.stderr:
        if b"DevTools listening on ws://" in line:
            return int(line.decode().rpartition(":")[2].partition("/")[0])
    raise AssertionError("chromium ended before it listened")
