"""The door in front of the browser's workbench: whoever shows the token may come in, nobody else.

The workbench in a browser can do all that it can do in a terminal: start runs, delete them, write files. So
this token is another one than that of ``rlft serve``, which opens labelling only. It is shown once, in the
address that is opened; the browser then keeps a cookie, and the address is left without the token, so that
it stands in no history, bookmark or Referer.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import web

R = TypeVar("R", bound=web.StreamResponse)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SHORTEST = 16
"""Characters of a token that is chosen by hand."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REFUSED = (
    "The token is missing or wrong. Open the whole address that rlft serve --web has printed; "
    "it holds the token.\n"
)


def new_token() -> str:
    return secrets.token_urlsafe(32)


class Gate:
    """Checks every request before anything else sees it."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        # The cookie opens this door while this server runs, and tells nothing about the token.
        self._pass = hashlib.sha256(secrets.token_bytes(16) + self._token).hexdigest().encode()
        self.cookie = f"rlft-{port}"
        """Cookies are shared by all ports of a host, so its name says whose it is."""

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._has_cookie(request):
            if request.path == "/" and request.method == "GET" and self._shows_token(request):
                return self._let_in(request)
            return _dressed(web.Response(status=401, text=REFUSED))
        if not _is_own_page(request):
            return _dressed(web.Response(status=403, text="Another page's request.\n"))
        if request.path == "/" and "token" in request.query:
            return self._let_in(request) if self._shows_token(request) else _dressed(_home())
        response = await handler(request)
        return response if response.prepared else _dressed(response)

    def _has_cookie(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.cookies.get(self.cookie, "").encode(), self._pass)

    def _shows_token(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.query.get("token", "").encode(), self._token)

    def _let_in(self, request: web.Request) -> web.Response:
        response = _home()
        response.set_cookie(
            self.cookie,
            self._pass.decode(),
            httponly=True,
            samesite="Lax",
            secure=request.secure,
            path="/",
        )
        return _dressed(response)


def _home() -> web.Response:
    return web.Response(status=303, headers={"Location": "/"})


def _is_own_page(request: web.Request) -> bool:
    """False when a page of another site has sent it: a WebSocket is open to every page otherwise."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _dressed(response: R) -> R:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response
