"""No request may fill the server's memory or, from another machine, its disk."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException

from rlft_tui.server.lifecycle import AsgiApp, Receive, Scope, Send
from rlft_tui.server.openai_shapes import error_body
from rlft_tui.server.remote_access import OPENAI, OUTSIDE

MOST_BYTES = 64 << 20
"""Of a body that is read whole: a batch of pairs is the largest of them."""
MOST_UPLOAD_BYTES = 4 << 30
"""Of a file that goes to the disk, from another machine; from this one its own disk is the limit."""
_SPOOLED = "/import"
"""How the paths end whose bodies go to the disk piece by piece."""
_TOO_LARGE = 413


class BodyLimit:
    """ASGI layer that refuses a body by its announced length, or once it has grown too long."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (most := limit_of(scope)) is None:
            await self._app(scope, receive, send)
            return
        if _announced(scope) > most:
            await _refuse(send, scope["path"], most)
            return
        read = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(_TOO_LARGE, _too_large(most))
            return message

        await self._app(scope, counted, send)


def limit_of(scope: Scope) -> int | None:
    """Bytes that the body of this request may have; None for any number."""
    if str(scope["path"]).rstrip("/").endswith(_SPOOLED):
        return MOST_UPLOAD_BYTES if scope.get(OUTSIDE) else None
    return MOST_BYTES


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if bytes(value).isdigit() else 0
    return 0


def _too_large(most: int) -> str:
    return f"the request is too large: {most:,} bytes are the most"


async def _refuse(send: Send, path: str, most: int) -> None:
    line = _too_large(most)
    said: dict[str, Any] = {"what": line, "where": "", "remedy": "", "detail": line}
    body = msgspec.json.encode(error_body(line) if path.startswith(OPENAI) else said)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What is left of the body is not read, so the connection cannot be used again.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": _TOO_LARGE, "headers": headers})
    await send({"type": "http.response.body", "body": body})
