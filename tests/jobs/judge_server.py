"""A local judge behind OpenAI's and Anthropic's protocols, which fails in the ways that such endpoints do.

It prefers the longer answer. What else it does follows from words in the conversation: ``busy``,
``broken``, ``stall``, ``drop`` and ``html`` fail the first time a question is asked, ``babble`` gets no
verdict, ``refuse`` is never answered, ``first`` always gets the answer shown first.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-judge-51c07e"
PROMPT_TOKENS, ANSWER_TOKENS = 100, 10


@dataclass
class Served:
    """What was asked and answered so far."""

    asked: Counter[str] = field(default_factory=Counter)
    """Requests by question."""
    completed: Counter[str] = field(default_factory=Counter)
    """Completions sent, which is what somebody pays for."""
    statuses: Counter[int] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    open: bool = True
    """Whether it answers at all; else 503."""
    hold: threading.Event | None = None
    """Where given, answers wait for it."""
    release: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def total(self) -> int:
        return sum(self.completed.values())


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = body["messages"][-1]["content"]
        served = self.served
        with served.lock:
            served.asked[question] += 1
            times = served.asked[question]
            served.at_once += 1
            served.most_at_once = max(served.most_at_once, served.at_once)
        try:
            if served.hold is not None:
                served.hold.wait(60)
            self._answer(body, question, first_time=times == 1)
        finally:
            with served.lock:
                served.at_once -= 1

    def _answer(self, body: dict[str, Any], question: str, *, first_time: bool) -> None:
        asked = _part(question, "conversation")
        key = self.headers["x-api-key"] or (self.headers["authorization"] or "").removeprefix("Bearer ")
        if not self.served.open:
            self._send(503, {"error": {"message": "loading"}}, retry_after="0")
        elif key and key != KEY:
            self._send(401, {"error": {"message": f"wrong key {key}"}})
        elif "refuse" in asked:
            self._send(400, {"error": {"message": f"not with {KEY}"}})
        elif first_time and "busy" in asked:
            self._send(429, {"error": {"message": "slow down"}}, retry_after="0.05")
        elif first_time and "broken" in asked:
            self._send(500, {"error": {"message": "out of memory"}}, retry_after="0")
        elif first_time and "html" in asked:
            self._bytes(200, b"<html>login</html>")
        elif first_time and "drop" in asked:
            self.connection.close()
        elif first_time and "stall" in asked:
            self.served.release.wait(60)
        else:
            with self.served.lock:
                self.served.completed[question] += 1
            self._send(200, self._completion(body, question, asked))

    def _completion(self, body: dict[str, Any], question: str, asked: str) -> dict[str, Any]:
        text = "On the one hand A, on the other hand B." if "babble" in asked else _verdict(question, asked)
        if self.path == "/v1/messages":
            usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": ANSWER_TOKENS}
            content = [{"type": "text", "text": text}]
            return {"model": body["model"], "content": content, "stop_reason": "end_turn", "usage": usage}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS}
        return {"model": body["model"], "choices": [choice], "usage": usage}

    def _send(self, status: int, body: dict[str, Any], *, retry_after: str = "") -> None:
        self._bytes(status, json.dumps(body).encode(), retry_after)

    def _bytes(self, status: int, content: bytes, retry_after: str = "") -> None:
        self.served.statuses[status] += 1
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on the terminal."""


def _part(question: str, tag: str) -> str:
    found = re.search(rf"<{tag}>\n(.*?)\n</{tag}>", question, re.S)
    return found.group(1) if found else ""


def _verdict(question: str, asked: str) -> str:
    if "<answer>" in question:
        return f"It has a length.\nRating: {min(5, 1 + len(_part(question, 'answer')) // 10)}"
    a, b = _part(question, "answer_a"), _part(question, "answer_b")
    better = "A" if "first" in asked or len(a) > len(b) else "B" if len(b) > len(a) else "tie"
    return f"The longer one says more.\n\nVerdict: {better}"


@contextmanager
def judge_server() -> Iterator[tuple[str, Served]]:
    """(address without the protocol's path, what was asked)."""
    served = Served()
    handler = type("Handler", (_Handler,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", served
    finally:
        served.release.set()
        if served.hold is not None:
            served.hold.set()
        server.shutdown()
        server.server_close()
