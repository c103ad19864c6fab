"""A local server that speaks both providers' protocols, and fails the ways they do.

What it does follows from the last message: its first word may name a failure, else it answers with
the words of the message in reverse, a word a piece.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-8f2c71d09b"


@dataclass
class Log:
    """What was asked so far."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a client left a stream that goes on."""
    release: threading.Event = field(default_factory=threading.Event)
    """Ends whoever is being kept waiting."""


class _Handler(BaseHTTPRequestHandler):
    log: Log

    def do_GET(self) -> None:
        if self.path in ("/v1/models", "/models"):
            self._json(200, {"data": [{"id": "words-2"}, {"id": "words-1"}]})
        else:
            self._json(404, {"error": {"message": "not here"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(raw)
        log = self.log
        log.bodies.append(body)
        log.headers.append({name.lower(): value for name, value in self.headers.items()})
        log.times.append(time.monotonic())
        prompt = body["messages"][-1]["content"]
        log.asked[prompt] += 1
        anthropic = self.path == "/v1/messages"
        first = prompt.split()[0]
        shown = self.headers["x-api-key"] if anthropic else self.headers["authorization"]
        if shown is not None and not shown.endswith(KEY):
            self._json(401, {"error": {"type": "auth", "message": f"wrong key {shown}: \x1b[31mno\nentry"}})
        elif first == "busy" and log.asked[prompt] < 3:
            self._json(429, {"error": {"message": "slow down"}}, {"retry-after": "0"})
        elif first == "later":
            self._json(429, {"error": {"message": "slow down"}}, {"retry-after": "7200"})
        elif first == "broken" and log.asked[prompt] < 2:
            self._json(503, {"error": "loading the model"})
        elif first == "always":
            self._json(500, {"detail": "out of memory"})
        elif first == "refuse":
            self._json(400, {"error": {"message": f"bad request from {KEY}"}})
        elif first == "newer" and "max_tokens" in body:
            self._json(400, {"error": {"message": "use 'max_completion_tokens' instead"}})
        elif first == "elsewhere":
            self._json(307, {}, {"location": "http://127.0.0.1:9/"})
        elif first == "garbage":
            self._bytes(200, b"<html>login</html>")
        elif first == "shape":
            self._json(200, {"choices": [], "content": 3})
        elif first == "silent":
            log.release.wait(60)
        elif first == "drop" and log.asked[prompt] < 2:
            self.connection.close()
        elif body["model"] == "tuned":
            self._vllm_stream(body, prompt.split())
        elif body["model"] == "gone":
            told = {"message": "The model `gone` does not exist.", "type": "NotFoundError"}
            self._json(404, {"error": {**told, "param": "model", "code": 404}})
        elif body.get("stream"):
            self._stream(prompt.split(), anthropic)
        else:
            self._json(200, _whole(prompt, body["model"], anthropic))

    def _stream(self, words: list[str], anthropic: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        first = words[0]
        try:
            self._event("message_start", {"message": {"usage": {"input_tokens": len(words)}}}, anthropic)
            for number, word in enumerate(reversed(words)):
                if first == "break" and number == 2:
                    return
                if first == "stall" and number == 1:
                    while not self.log.release.wait(0.02):
                        self.wfile.write(b": ping\n\n")
                if first == "nonsense" and number == 1:
                    self.wfile.write(b"data: {not json\n\n")
                if first == "fails" and number == 1:
                    failed = {"error": {"type": "overloaded_error", "message": f"overloaded {KEY}"}}
                    self._event("error", failed, anthropic)
                    return
                if anthropic:
                    delta = {"type": "text_delta", "text": f"{word} "}
                    self._event("content_block_delta", {"delta": delta}, True)
                else:
                    choice: dict[str, Any] = {"index": 0, "delta": {"content": f"{word} "}}
                    logprob = {"token": f"{word} ", "logprob": -0.5}
                    choice["logprobs"] = {"content": [{**logprob, "top_logprobs": [logprob]}]}
                    self._event("", {"choices": [choice]}, False)
            while first == "endless":
                self._event("", {"choices": [{"index": 0, "delta": {"content": "on "}}]}, False)
                time.sleep(0.005)
            if anthropic:
                ending = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": len(words)}}
                self._event("message_delta", ending, True)
                self._event("message_stop", {}, True)
            else:
                self._event("", {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, False)
                usage = {"prompt_tokens": len(words), "completion_tokens": len(words)}
                self._event("", {"choices": [], "usage": usage}, False)
                self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            self.log.hung_up.set()

    def _vllm_stream(self, body: dict[str, Any], words: list[str]) -> None:
        """As ``vllm serve`` with a reasoning parser streams: a role, thoughts, text, an end, the usage."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.end_headers()
        head = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}

        def send(delta: dict[str, Any], **more: Any) -> None:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **more}
            self._event("", {**head, "choices": [choice]}, False)

        send({"role": "assistant", "content": ""})
        if words[0] == "think":
            for _ in range(8):
                time.sleep(0.1)
                send({"reasoning": "hm", "reasoning_content": "hm"})
        if words[0] == "old":
            self._event("", {"object": "error", "message": "engine died", "type": "E", "code": 500}, False)
            return
        for word in words:
            held = {"token": f"{word} ", "logprob": -0.5, "bytes": list(f"{word} ".encode())}
            rivals = {"content": [{**held, "top_logprobs": [held]}]} if body.get("logprobs") else None
            send({"content": f"{word} "}, logprobs=rivals, token_ids=None)
        send({"content": ""}, finish_reason="stop", stop_reason=None)
        if body["stream_options"]["include_usage"]:
            usage = {"prompt_tokens": 9, "total_tokens": 9 + len(words), "completion_tokens": len(words)}
            self._event("", {**head, "choices": [], "usage": usage}, False)
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, kind: str, data: dict[str, Any], anthropic: bool) -> None:
        if anthropic:
            self.wfile.write(f"event: {kind}\r\n".encode())
            data = {"type": kind, **data}
        elif kind == "message_start":
            return
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _json(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(body).encode(), headers)

    def _bytes(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on the terminal."""


def _whole(prompt: str, model: str, anthropic: bool) -> dict[str, Any]:
    words = prompt.split()
    text = " ".join(reversed(words))
    if anthropic:
        usage = {"input_tokens": len(words), "output_tokens": len(words)}
        content = [{"type": "text", "text": text}]
        return {"model": model, "content": content, "stop_reason": "end_turn", "usage": usage}
    usage = {"prompt_tokens": len(words), "completion_tokens": len(words)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"model": model, "choices": [choice], "usage": usage}


@contextmanager
def provider_server() -> Iterator[tuple[str, Log]]:
    """(address without the protocol's own path, what was asked)."""
    log = Log()
    handler = type("Handler", (_Handler,), {"log": log})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", log
    finally:
        log.release.set()
        server.shutdown()
        server.server_close()
