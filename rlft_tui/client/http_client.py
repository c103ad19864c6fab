"""HTTP to one server over connections that are kept: the standard library's client, with a pool.

Loading httpx takes a fifth of the time of a short command (decision 070); here there is one server, no
redirects, no cookies and no proxy.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from rlft_tui.errors import UnavailableError
from rlft_tui.record import Record

CONNECT_SECONDS = 5.0
_BLOCK = 1 << 16
_MOST_IDLE = 8
"""Connections kept for later requests."""


class NoAnswerError(Exception):
    """The server is not there, went away or says nothing."""

    @property
    def timed_out(self) -> bool:
        """Whether it was there and said nothing for too long."""
        return isinstance(self.__cause__, TimeoutError)


class Answer(Record, frozen=True):
    """A whole answer."""

    status: int
    content: bytes


class HttpClient:
    """Requests to one server; safe to use from several threads, each on a connection of its own."""

    def __init__(self, open_line: Callable[[], HTTPConnection], headers: Mapping[str, str]) -> None:
        self._open_line = open_line
        self._headers = headers
        self._idle: list[HTTPConnection] = []
        """Those that no request is using, the last used one last."""
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Close what is idle; what is in use is closed when its request is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    def request(self, verb: str, target: str, *, body: IO[bytes] | None, kind: str, timeout: float) -> Answer:
        """One whole request; NoAnswerError after ``timeout`` seconds in which the server says nothing."""
        with self.stream(verb, target, body=body, kind=kind, timeout=timeout) as response:
            return whole(response)

    @contextmanager
    def stream(
        self, verb: str, target: str, *, body: IO[bytes] | None, kind: str, timeout: float
    ) -> Iterator[HTTPResponse]:
        """An answer to be read by ``whole`` or ``lines``; leaving the block before its end hangs up."""
        line = self._take()
        response = None
        try:
            with _failing():
                response = self._ask(line, verb, target, body, kind, timeout)
            yield response
        finally:
            if response is not None and response.isclosed() and not response.will_close:
                self._keep(line)
            else:
                if response is not None:
                    response.close()
                line.close()

    def _ask(
        self,
        line: HTTPConnection,
        verb: str,
        target: str,
        content: IO[bytes] | None,
        kind: str,
        timeout: float,
    ) -> HTTPResponse:
        headers = {**self._headers, "content-type": kind}
        body = None if content is None else _Measured(content)
        if body is not None:
            headers["content-length"] = str(body.length)
        if line.sock is None:
            line.connect()
        line.sock.settimeout(timeout)
        # A server that refuses a body hangs up before all of it came; why, it has said by then.
        with suppress(BrokenPipeError, ConnectionResetError):
            line.request(verb, target, body, headers)
        return line.getresponse()

    def _take(self) -> HTTPConnection:
        """The connection that was used last, unless the server has hung up on it; else a new one."""
        while True:
            with self._lock:
                line = self._idle.pop() if self._idle else None
            if line is None:
                return self._open_line()
            if not _hung_up(line.sock):
                return line
            line.close()

    def _keep(self, line: HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(line)
                return
        line.close()


class _SocketLine(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("rlft", blocksize=_BLOCK)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_SECONDS)
        self.sock.connect(str(self._path))


def to_socket(path: Path) -> HttpClient:
    """A client of the server that listens there."""
    return HttpClient(lambda: _SocketLine(path), {})


def to_address(url: str, token: str) -> HttpClient:
    """A client of the server at ``url``, scheme and host, that wants this token."""
    place = urlsplit(url)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    # Without a port it would look for one in the host's name, and find it in an IPv6 address.
    port = place.port or kind.default_port

    def open_line() -> HTTPConnection:
        return kind(place.hostname or "", port, timeout=CONNECT_SECONDS, blocksize=_BLOCK)

    return HttpClient(open_line, {"authorization": f"Bearer {token}"})


def target(path: str, query: Mapping[str, Any]) -> str:
    """Path and query as a request names them; a list gives its name several times, None is left out."""
    given = {name: _said(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def whole(response: HTTPResponse) -> Answer:
    """All of an answer; NoAnswerError when it breaks off."""
    with _failing():
        return Answer(response.status, response.read())


def lines(response: HTTPResponse) -> Iterator[bytes]:
    """The lines of a streamed answer, without their ends, each as soon as it came; NoAnswerError when it
    breaks off."""
    pieces: list[bytes] = []
    while True:
        with _failing():
            block = response.read1(_BLOCK)
        if not block:
            return
        first, *others = block.split(b"\n")
        pieces.append(first)
        for line in others:
            yield b"".join(pieces)
            pieces = [line]


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException) as error:
        raise NoAnswerError(type(error).__name__) from error


def _said(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


class _Measured:
    """A body of the length that was announced: a file that grows meanwhile is cut there.

    UnavailableError for one that has become shorter; the server would wait for the rest.
    """

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self.length = len(body.getbuffer()) if isinstance(body, BytesIO) else os.fstat(body.fileno()).st_size
        self._left = self.length

    def read(self, size: int = _BLOCK, /) -> bytes:
        block = self._body.read(min(size, self._left))
        self._left -= len(block)
        if self._left and not block:
            raise UnavailableError("it was cut short while it was sent", where=str(self._body.name))
        return block


def _hung_up(sock: socket.socket | None) -> bool:
    """Whether there is something to read where nothing was asked: the end."""
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
