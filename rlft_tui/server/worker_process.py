"""One process of the inference worker: requests in, replies out, JSON lines both ways."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

import orjson

log = logging.getLogger("rlft.server.inference")

_END_SECONDS = 5.0
Reply = dict[str, Any]


class WorkerProcess:
    """One living worker; its replies go to whoever waits for their request."""

    def __init__(self, command: Sequence[str], errors: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
        )
        self._waiting: dict[str, Callable[[Reply | None], None]] = {}
        self._lock = threading.Lock()
        self.ended = False
        self.memory_mb: float | None = None
        threading.Thread(target=self._read, name="inference", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: Reply, answer: Callable[[Reply | None], None]) -> bool:
        """Send a request; ``answer`` gets its replies, and None when the worker dies.

        False when it is dead already.
        """
        with self._lock:
            if self.ended:
                return False
            self._waiting[request["id"]] = answer
        self._write(request)
        return True

    def forget(self, request_id: str, *, cancel: bool) -> None:
        """No more replies of this request are wanted."""
        with self._lock:
            self._waiting.pop(request_id, None)
        if cancel and not self.ended:
            self._write({"cancel": request_id})

    def end(self) -> None:
        """End it and wait until it is gone."""
        stdin = self._process.stdin
        assert stdin is not None
        with self._lock:
            try:
                stdin.close()
            except OSError:
                log.debug("the worker had closed its input")
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def exit_code(self) -> int:
        return self._process.wait()

    def _write(self, record: Reply) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with self._lock:
            try:
                stdin.write(orjson.dumps(record) + b"\n")
            except (OSError, ValueError):
                # It died; the reading thread tells everyone who waits.
                log.info("the inference worker takes no more requests")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                reply = orjson.loads(line)
                request_id = reply.get("id")
            except (orjson.JSONDecodeError, AttributeError):
                log.warning("the inference worker wrote no JSON: %r", line[:200])
                continue
            memory = reply.get("memory_mb")
            if isinstance(memory, int | float):
                self.memory_mb = float(memory)
            with self._lock:
                answer = self._waiting.get(request_id)
            if answer is not None:
                answer(reply)
        with self._lock:
            self.ended = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for answer in waiting:
            answer(None)
        self._process.wait()
