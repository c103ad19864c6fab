"""HTTP to one server: connections are used again, and every way of breaking off is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from rlft_tui.client.http_client import HttpClient, NoAnswerError, lines, target, to_socket
from rlft_tui.errors import UnavailableError

Reply = Callable[[socket.socket, bytes], object]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Listener:
    """A server that says to each request what it is told to, byte for byte."""

    def __init__(self, path: Path, *replies: Reply) -> None:
        self.path = path
        self.connections = 0
        self.heads: list[bytes] = []
        self.closed = threading.Event()
        """A connection has ended."""
        self._replies = list(replies)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while self._replies:
            line, _ = self._listener.accept()
            self.connections += 1
            with line:
                while self._replies and (head := self._head(line)):
                    self.heads.append(head)
                    self._replies.pop(0)(line, head)
                    if line.fileno() < 0:
                        break
                self.closed.set()

    def _head(self, line: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            try:
                block = line.recv(1)
            except OSError:
                return b""
            if not block:
                return b""
            head += block
        return head


def says(content: bytes, *, then_close: bool = False) -> Reply:
    def reply(line: socket.socket, head: bytes) -> None:
        line.sendall(content)
        if then_close:
            line.close()

    return reply


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    made = to_socket(tmp_path / "s")
    yield made
    made.close()


def get(client: HttpClient, timeout: float = 10.0) -> bytes:
    return client.request("GET", "/x", body=None, kind="text/plain", timeout=timeout).content


def test_one_connection_serves_one_request_after_another(tmp_path: Path, client: HttpClient) -> None:
    server = Listener(tmp_path / "s", says(OK), says(OK), says(OK))
    assert [get(client) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    tmp_path: Path, client: HttpClient
) -> None:
    server = Listener(tmp_path / "s", says(OK, then_close=True), says(OK))
    assert get(client) == b"ok"
    assert server.closed.wait(10)
    assert get(client) == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize(
    "broken",
    [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", b"SSH-2.0-OpenSSH\r\n"],
    ids=["nothing", "half an answer", "another protocol"],
)
def test_an_answer_that_breaks_off_is_none(tmp_path: Path, client: HttpClient, broken: bytes) -> None:
    Listener(tmp_path / "s", says(broken, then_close=True))
    with pytest.raises(NoAnswerError) as failure:
        get(client)
    assert not failure.value.timed_out


def test_nobody_there_and_nobody_answering_are_told_apart(tmp_path: Path, client: HttpClient) -> None:
    with pytest.raises(NoAnswerError, match="FileNotFoundError") as nobody:
        get(client)
    assert not nobody.value.timed_out
    given_up = threading.Event()
    Listener(tmp_path / "s", lambda line, head: given_up.wait(10))
    with pytest.raises(NoAnswerError) as silent:
        get(client, timeout=0.05)
    given_up.set()
    assert silent.value.timed_out


def test_a_refusal_is_read_though_the_body_was_not_taken(tmp_path: Path, client: HttpClient) -> None:
    refusal = b"HTTP/1.1 413 no\r\ncontent-length: 8\r\nconnection: close\r\n\r\ntoo long"
    server = Listener(tmp_path / "s", says(refusal, then_close=True))
    body = BytesIO(b"x" * (8 << 20))
    answer = client.request("POST", "/x", body=body, kind="text/plain", timeout=10.0)
    assert (answer.status, answer.content) == (413, b"too long")
    assert b"content-length: 8388608" in server.heads[0]


@pytest.mark.parametrize("now", [b"x" * 9, b"x" * (9 << 20)], ids=["shorter", "longer"])
def test_a_file_that_changes_while_it_is_sent_leaves_nobody_waiting(
    tmp_path: Path, client: HttpClient, now: bytes
) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * (8 << 20))
    taken: list[int] = []

    def reply(line: socket.socket, head: bytes) -> None:
        file.write_bytes(now)
        size = 0
        while size < 8 << 20 and (block := line.recv(1 << 20)):
            size += len(block)
        taken.append(size)
        with suppress(OSError):
            line.sendall(OK)

    Listener(tmp_path / "s", reply, says(OK))
    with file.open("rb") as body:
        if len(now) > 9:
            assert client.request("POST", "/x", body=body, kind="text/plain", timeout=10.0).status == 200
            assert taken == [8 << 20]
        else:
            with pytest.raises(UnavailableError, match="cut short"):
                client.request("POST", "/x", body=body, kind="text/plain", timeout=10.0)
    assert get(client) == b"ok"


def test_lines_come_one_by_one_and_leaving_early_hangs_up(tmp_path: Path, client: HttpClient) -> None:
    more = threading.Event()

    def reply(line: socket.socket, head: bytes) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\none\ntw\r\n")
        more.wait(10)
        line.sendall(b"2\r\no\n\r\n")

    server = Listener(tmp_path / "s", reply, says(OK))
    with client.stream("GET", "/x", body=None, kind="text/plain", timeout=10.0) as response:
        read = lines(response)
        assert next(read) == b"one"
        more.set()
        assert next(read) == b"two"
    assert server.closed.wait(10)
    assert get(client) == b"ok"
    assert server.connections == 2


def test_a_torn_stream_is_told(tmp_path: Path, client: HttpClient) -> None:
    torn = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\none\ntw"
    Listener(tmp_path / "s", says(torn, then_close=True))
    with client.stream("GET", "/x", body=None, kind="text/plain", timeout=10.0) as response:
        read = lines(response)
        assert next(read) == b"one"
        with pytest.raises(NoAnswerError):
            next(read)


def test_an_error_of_whoever_reads_is_not_the_servers(tmp_path: Path, client: HttpClient) -> None:
    Listener(tmp_path / "s", says(OK))
    with pytest.raises(BrokenPipeError):
        with client.stream("GET", "/x", body=None, kind="text/plain", timeout=10.0):
            raise BrokenPipeError


def test_threads_do_not_wait_for_each_other(tmp_path: Path, client: HttpClient) -> None:
    both_asked = threading.Barrier(2, timeout=10)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def serve() -> None:
        line, _ = listener.accept()
        line.recv(1 << 12)
        both_asked.wait()
        line.sendall(OK)

    for _ in range(2):
        threading.Thread(target=serve, daemon=True).start()
    answers: list[bytes] = []
    asking = [threading.Thread(target=lambda: answers.append(get(client))) for _ in range(2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(10)
    assert answers == [b"ok", b"ok"]


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({}, "/a"),
        ({"b": 1, "c": True, "d": None, "e": ""}, "/a?b=1&c=true&e="),
        ({"key": ["x/y", "ä &"]}, "/a?key=x%2Fy&key=%C3%A4+%26"),
    ],
)
def test_a_query_is_written_as_the_server_reads_it(query: dict[str, object], sent: str) -> None:
    assert target("/a", query) == sent
