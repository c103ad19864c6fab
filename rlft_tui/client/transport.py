"""Requests to the workspace's server and what they need: connection, retry, errors, streams."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar
from urllib.parse import quote

import msgspec

from rlft_tui.client.http_client import (
    Answer,
    HttpClient,
    NoAnswerError,
    lines,
    target,
    to_address,
    to_socket,
    whole,
)
from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError

API = "/api/v1"
T = TypeVar("T")
LONG = 900.0
"""Seconds allowed to what grows with the data: imports, data sets, backups."""
_ATTEMPTS = 6
_JSON = "application/json"
_KINDS: dict[int, type[RlftError]] = {404: NotFoundError, 409: ConflictError, 503: UnavailableError}


class Transport:
    """A connection to the workspace's server; safe to use from several threads."""

    def __init__(self, socket: Path, *, timeout: float = 30.0, url: str = "", token: str = "") -> None:
        """On this machine through the server's ``socket``, or at a ``url`` with its ``token``."""
        self.socket = socket
        self.revive: Callable[[], Path] | None = None
        """Brings back a server that died and tells its socket; set by ``connect``."""
        self.server_version = ""
        """Of rlft there, once it was asked."""
        self._url, self._token = url, token
        self._timeout = timeout
        self._reviving = threading.Lock()
        self._http = self._open()

    @property
    def address(self) -> str:
        """Where the server is, as errors about the connection name it."""
        return self._url or str(self.socket)

    @property
    def is_remote(self) -> bool:
        """Whether the server is reached by address rather than through its socket here."""
        return bool(self._url)

    def _open(self) -> HttpClient:
        return to_address(self._url, self._token) if self._url else to_socket(self.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @contextmanager
    def _stream(
        self, verb: str, path: str, timeout: float, body: Any = None, **query: Any
    ) -> Iterator[HTTPResponse]:
        """A streamed answer; leaving the block early ends it."""
        # Only so that a server that died is brought back before the stream begins.
        self._get("/health", dict[str, Any])
        where, sent = target(API + path, query), None if body is None else BytesIO(msgspec.json.encode(body))
        try:
            with self._http.stream(verb, where, body=sent, kind=_JSON, timeout=timeout) as response:
                if response.status >= 400:
                    raise _error(whole(response), verb, path, remote=self.is_remote)
                yield response
        except NoAnswerError as error:
            raise _unreachable(self.address, self.is_remote, error) from error

    def _lines(self, path: str, **query: Any) -> Iterator[bytes]:
        """The lines of a streamed answer, without their ends."""
        with self._stream("GET", path, LONG, **query) as response:
            yield from lines(response)

    def _get(self, path: str, kind: type[T], **query: Any) -> T:
        return self._request("GET", path, kind, query=query)

    def _post(
        self,
        path: str,
        kind: type[T],
        body: Any = None,
        *,
        content: bytes | Path | None = None,
        timeout: float | None = None,
        **query: Any,
    ) -> T:
        if content is not None:
            media_type = "application/octet-stream"
        else:
            media_type, content = _JSON, msgspec.json.encode(body)
        return self._request(
            "POST", path, kind, query=query, content=content, media_type=media_type, timeout=timeout
        )

    def _request(
        self,
        verb: str,
        path: str,
        kind: type[T],
        *,
        query: dict[str, Any] | None = None,
        content: bytes | Path | None = None,
        media_type: str = _JSON,
        timeout: float | None = None,
    ) -> T:
        """One request. When the server died under it, it is brought back and asked again."""
        where, patience = target(API + path, query or {}), self._timeout if timeout is None else timeout
        for attempt in range(_ATTEMPTS):
            http = self._http
            try:
                with _readable(content) as body:
                    answer = http.request(verb, where, body=body, kind=media_type, timeout=patience)
            except NoAnswerError as error:
                last = attempt + 1 == _ATTEMPTS
                if self.revive is None or last or error.timed_out:
                    raise _unreachable(self.address, self.is_remote, error) from error
                self._bring_back(http)
                continue
            if answer.status >= 400:
                raise _error(answer, verb, path, remote=self.is_remote)
            try:
                return msgspec.json.decode(answer.content, type=kind)
            except msgspec.DecodeError as error:
                raise _of_another_version(
                    f"gave an answer of another form ({error})", path, self.is_remote
                ) from error
        raise AssertionError("the last attempt returns or raises")

    def _bring_back(self, failed: HttpClient) -> None:
        """Of several threads whose requests failed, the first one restarts the server.

        The old client is left open: another thread may just be using it.
        """
        with self._reviving:
            if self._http is failed and self.revive is not None:
                self.socket = self.revive()
                self._http = self._open()


def _readable(content: bytes | Path | None) -> AbstractContextManager[IO[bytes] | None]:
    """A request's body; a file is opened anew for every attempt and sent piece by piece."""
    if not isinstance(content, Path):
        return nullcontext(None if content is None else BytesIO(content))
    try:
        return content.open("rb")
    except OSError as error:
        raise UnavailableError(f"cannot be read: {error.strerror}", where=str(content)) from None


def segment(value: str) -> str:
    """A name as one part of a path; NotFoundError for one that would lead elsewhere."""
    if value in (".", "..") or "/" in value:
        raise NotFoundError(f"nothing is called {value!r}")
    return quote(value, safe="") or "%20"


def timed_out(error: RlftError) -> bool:
    """Whether a server is there that said nothing for too long."""
    return isinstance(error.__cause__, NoAnswerError) and error.__cause__.timed_out


def listens(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        return probe.connect_ex(str(path)) == 0


def _error(answer: Answer, verb: str, path: str, *, remote: bool) -> RlftError:
    """The server's own error, or one line about an answer that is none."""
    try:
        body = msgspec.json.decode(answer.content, type=dict[str, Any])
        what, where, remedy = body["what"], body.get("where", ""), body.get("remedy", "")
    except (msgspec.DecodeError, KeyError):
        return RlftError(f"the server answered {answer.status}", remedy="See server.log in the workspace")
    if answer.status in (404, 405) and where.startswith(f"{verb} /"):
        return _of_another_version("does not know this request", path, remote)
    return _KINDS.get(answer.status, RlftError)(what, where=where, remedy=remedy)


def _of_another_version(does: str, path: str, remote: bool) -> RlftError:
    """What a server says that was started before this program was upgraded, or the other way round."""
    return RlftError(
        f"the workspace server {does}: it runs another version of rlft",
        where=path,
        remedy="Bring the older one up to date"
        if remote
        else "rlft server restart starts this version; runs go on meanwhile",
    )


def _unreachable(address: str, remote: bool, error: NoAnswerError) -> UnavailableError:
    return UnavailableError(
        f"no answer from the workspace server ({error})",
        where=address,
        remedy="Check that rlft serve runs there"
        if remote
        else "Try again: the next command starts it. Its log is server.log in the workspace",
    )
