"""The door for other machines: which requests may come through it, and with which token.

The socket of the workspace belongs to its user, so whoever reaches it may do anything.
A TCP port is open to everyone on the way to it: each request there shows the token, and
only what labelling, scoring, ranking, importing and reading need is answered, and the policy
service, which trains.
"""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress

import msgspec

from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace
from rlft_tui.server.lifecycle import AsgiApp, Receive, Scope, Send
from rlft_tui.server.openai_shapes import error_body

API = "/api/v1"
POLICIES = "/api/policies/"
"""The policy service: its calls store scores, train on them and tell what came of it."""
OPENAI = "/v1/"
"""Chat completions, where the door was opened for them too: they take the machine's time."""
DOCS = ("/docs", "/openapi.json")
LABELLING = ("/queue", "/labels", "/feedback", "/rankings")
"""Nouns whose every call may come from another machine: they only ever append."""
IMPORTS = ("/prompts/import", "/pairs", "/pairs/import")
"""Single calls that store what the request itself brings, and read no path of the server."""

OUTSIDE = "rlft.outside"
"""Set in the scope of a request that came through the door."""
KEPT_BACK = ("/labels/gold",)
"""Which pairs are gold would be of no use once labellers could look it up or change it."""


class RemoteToken:
    """The workspace's token, made once and kept in a file that only its owner reads."""

    def __init__(self, workspace: Workspace) -> None:
        self.path = workspace.root / "remote-token"
        self._value = b""
        self._seen: tuple[int, int] | None = None

    def text(self, *, new: bool = False) -> str:
        """The token; made now if there is none, or when a ``new`` one is to replace it."""
        if not new:
            with suppress(FileNotFoundError):
                return self._stored()
        partial = self.path.with_name(f".remote-token.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, secrets.token_urlsafe(32).encode() + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                partial.replace(self.path)
            else:
                # Of two that make one at once the first one's stands.
                with suppress(FileExistsError):
                    os.link(partial, self.path)
                partial.unlink()
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RlftError(
                f"the token could not be stored ({error.strerror})", where=str(self.path)
            ) from None
        return self._stored()

    def matches(self, shown: bytes) -> bool:
        """Whether this is the token, told in a time that gives nothing away. No token, no access."""
        try:
            found = self.path.stat()
            if self._seen != (found.st_ino, found.st_mtime_ns):
                self._value = self._stored().encode()
                self._seen = (found.st_ino, found.st_mtime_ns)
        except (OSError, RlftError):
            return False
        return hmac.compare_digest(shown, self._value)

    def _stored(self) -> str:
        if self.path.stat().st_mode & 0o077:
            raise RlftError(
                "the token can be read by others, so it is of no use",
                where=str(self.path),
                remedy="Make another: rlft server token --new",
            )
        text = self.path.read_text().strip()
        if len(text) < 32:
            raise RlftError(
                "the token is damaged", where=str(self.path), remedy="Make another: rlft server token --new"
            )
        return text


class TokenGate:
    """ASGI layer in front of the application for everything that comes through TCP."""

    def __init__(self, app: AsgiApp, token: RemoteToken, *, openai: bool = False) -> None:
        """``openai``: whether models may be asked too."""
        self._app = app
        self._token = token
        self._openai = openai

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not self._token.matches(shown_token(scope)):
            await _refuse(
                send,
                scope["path"],
                401,
                "the token is missing or wrong",
                "On the workspace's machine rlft server token prints it",
            )
        elif not may_come_from_outside(scope["method"], scope["path"], openai=self._openai):
            is_openai = scope["path"].startswith(OPENAI)
            await _refuse(
                send,
                scope["path"],
                403,
                "this is not done for another machine",
                "rlft serve --openai opens it" if is_openai else "Run it on the workspace's own machine",
            )
        else:
            await self._app({**scope, OUTSIDE: True}, receive, send)


def shown_token(scope: Scope) -> bytes:
    """What the Authorization header holds after ``Bearer``; nothing without one."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, shown = bytes(value).partition(b" ")
            return shown.strip() if kind.lower() == b"bearer" else b""
    return b""


def may_come_from_outside(method: str, path: str, *, openai: bool = False) -> bool:
    """Reading may, what labelling, scoring, ranking and importing need, and the policy service.

    Not ending the server, backups, data sets, runs, models and generating: those write or
    name files of the server's machine, or take its time.
    """
    if method == "GET" and path in DOCS:
        return True
    if path.startswith(OPENAI):
        return openai and method in ("GET", "POST") and ".." not in path
    if path.startswith(POLICIES):
        return method in ("GET", "POST") and ".." not in path
    if not path.startswith(f"{API}/"):
        return False
    call = path.removeprefix(API)
    if call.rstrip("/") in KEPT_BACK:
        return False
    if method == "GET":
        return True
    if method != "POST" or ".." in call:
        return False
    return call in IMPORTS or any(call == noun or call.startswith(f"{noun}/") for noun in LABELLING)


async def _refuse(send: Send, path: str, status: int, what: str, remedy: str) -> None:
    said: dict[str, object] = {"what": what, "where": "", "remedy": remedy}
    if path.startswith(OPENAI):
        said = error_body(f"{what}. {remedy}", code="invalid_api_key" if status == 401 else None)
    body = msgspec.json.encode(said)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    # The body of a refused request is not read, so the connection cannot be used again.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    return host == "localhost" or host.startswith("127.") or host == "::1"
