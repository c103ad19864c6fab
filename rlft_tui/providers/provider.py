"""Models that answer elsewhere: asked over HTTP, whole or streamed, with time-outs and retries.

A key goes into one header and nowhere else: not into a log, and out of every error that repeats it.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import logging
import ssl
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import ModuleType
from typing import Any

import httpx

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.providers import anthropic_protocol, openai_protocol
from rlft_tui.providers.chat import ChatAnswer, ChatPiece, ChatRequest, ProviderError
from rlft_tui.providers.failures import Failures
from rlft_tui.providers.retry import Attempts
from rlft_tui.providers.server_events import EventReader
from rlft_tui.providers.settings import ProviderSettings, key_of

log = logging.getLogger("rlft.providers")

_PROTOCOLS: dict[str, ModuleType] = {"openai": openai_protocol, "anthropic": anthropic_protocol}
_CONNECT_SECONDS = 10.0
_MOST_BYTES = 16 << 20
"""Of one answer. Whoever sends more is not answering."""
_ERROR_BYTES = 1 << 16
_NO_ANSWER = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What a protocol's reader raises for something of another shape."""


def open_provider(providers: Mapping[str, ProviderSettings], name: str, *, attempts: int = 5) -> Provider:
    """The provider that ``NAME`` or ``NAME:MODEL`` stands for.

    NotFoundError: there is none of that name. RlftError: it has no model set and none is named.
    """
    asked, _, model = name.partition(":")
    if asked not in providers:
        near = difflib.get_close_matches(asked, providers, n=1)
        raise NotFoundError(
            f"no provider called {asked!r}",
            where="rlft.toml",
            remedy=f"Did you mean {near[0]}?"
            if near
            else f"Add it: [providers.{asked}] with kind, url, model",
        )
    settings = providers[asked]
    if not (model or settings.model):
        raise RlftError(
            f"provider {asked} has no model set",
            where="rlft.toml",
            remedy=f"Name one: {asked}:MODEL, or set model in [providers.{asked}]",
        )
    return Provider(asked, settings, model or settings.model, attempts=attempts)


class Provider:
    """One model of one provider; safe to use from several threads."""

    def __init__(self, name: str, settings: ProviderSettings, model: str, *, attempts: int = 5) -> None:
        """``attempts``: how often a request is made that fails for a passing reason."""
        self.name = name
        self.model = model
        self._settings = settings
        self._protocol = _PROTOCOLS[settings.kind]
        self._failures = Failures(name, settings)
        self._attempts = attempts
        self._newer = False
        """Whether the model wants max_completion_tokens, found out by its refusal of the other."""
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._tls: ssl.SSLContext | bool | None = None

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """The whole answer. ProviderError in one line when there is none after the last attempt."""
        attempts = Attempts(self._attempts)
        while True:
            try:
                said = self._whole("POST", self._protocol.ASK, self._body(request, stream=False))
                return self._read_answer(said)
            except ProviderError as error:
                time.sleep(0.0 if self._becomes_newer(error) else self._pause(attempts, error))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatPiece, None]:
        """The answer in pieces as it is written; leaving early hangs up.

        It is tried again until the first text is there; a stream that breaks later is a ProviderError.
        """
        attempts = Attempts(self._attempts)
        begun = False
        while True:
            try:
                async with contextlib.aclosing(self._pieces(request)) as pieces:
                    async for piece in pieces:
                        begun = begun or bool(piece.text)
                        yield piece
                return
            except ProviderError as error:
                if begun:
                    raise
                await asyncio.sleep(0.0 if self._becomes_newer(error) else self._pause(attempts, error))

    def models(self) -> list[str]:
        """Names of the models it offers."""
        said = self._whole("GET", self._protocol.MODELS, None)
        try:
            return sorted(str(one["id"]) for one in said["data"])
        except _NO_ANSWER:
            raise self._failures.error("it lists no models") from None

    def close(self) -> None:
        """Hang up; the next request connects anew."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # one request
    def _whole(self, verb: str, path: str, body: bytes | None) -> dict[str, Any]:
        """One request whose answer is one JSON object, within the provider's time."""
        deadline = time.monotonic() + self._settings.timeout_seconds
        received = bytearray()
        try:
            with self._http().stream(
                verb, self._settings.address + path, content=body, headers=self._headers()
            ) as response:
                for block in response.iter_bytes():
                    received += block
                    if len(received) > _MOST_BYTES:
                        raise self._failures.error("its answer has no end")
                    if time.monotonic() > deadline:
                        raise self._failures.too_slow()
        except httpx.HTTPError as error:
            raise self._failures.unreachable(error) from None
        if response.status_code != 200:
            raise self._failures.of_status(response, bytes(received), self.model)
        return self._read_json(bytes(received))

    async def _pieces(self, request: ChatRequest) -> AsyncGenerator[ChatPiece, None]:
        """One attempt at a stream."""
        ended = False
        async with httpx.AsyncClient(**self._options()) as http:
            try:
                async with http.stream(
                    "POST",
                    self._settings.address + self._protocol.ASK,
                    content=self._body(request, stream=True),
                    headers=self._headers(),
                ) as response:
                    if response.status_code != 200:
                        said = await self._start_of(response)
                        raise self._failures.of_status(response, said, self.model)
                    async for piece in self._read_stream(response):
                        ended = ended or piece.ended is not None
                        yield piece
            except httpx.HTTPError as error:
                raise self._failures.unreachable(error) from None
        if not ended:
            raise self._failures.error("the stream broke off before the answer's end", retryable=True)

    async def _read_stream(self, response: httpx.Response) -> AsyncIterator[ChatPiece]:
        """The pieces of a stream. Pings keep none alive that says nothing."""
        reader = EventReader()
        received = 0
        blocks = response.aiter_bytes()
        until = time.monotonic() + self._settings.timeout_seconds
        while True:
            try:
                async with asyncio.timeout(max(0.001, until - time.monotonic())):
                    block = await anext(blocks, None)
            except TimeoutError:
                raise self._failures.too_slow() from None
            if block is None:
                return
            received += len(block)
            if received > _MOST_BYTES:
                raise self._failures.error("its answer has no end")
            for kind, data in reader.take(block):
                if data.strip() == "[DONE]":
                    return
                piece = self._read_event(kind, data)
                if piece is not None:
                    until = time.monotonic() + self._settings.timeout_seconds
                    yield piece

    async def _start_of(self, response: httpx.Response) -> bytes:
        """As much of an error's body as a line can be made of."""
        received = bytearray()
        async for block in response.aiter_bytes():
            received += block
            if len(received) > _ERROR_BYTES:
                break
        return bytes(received)

    # what goes out
    def _body(self, request: ChatRequest, *, stream: bool) -> bytes:
        asked = self._protocol.body(request, self.model, stream=stream, newer=self._newer)
        return json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace")

    def _headers(self) -> dict[str, str]:
        key = key_of(self.name, self._settings)
        return {"content-type": "application/json", **self._protocol.headers(key)}

    def _options(self) -> dict[str, Any]:
        with self._lock:
            if self._tls is None:
                # Loading the certificates takes longer than most requests: once, and not for plain HTTP.
                secure = self._settings.address.startswith("https:")
                self._tls = httpx.create_ssl_context() if secure else False
        return {
            "verify": self._tls,
            "timeout": httpx.Timeout(self._settings.timeout_seconds, connect=_CONNECT_SECONDS),
            # Neither a proxy on the way to this machine, nor a key sent on to wherever one is led.
            "trust_env": not self._settings.is_local,
            "follow_redirects": False,
        }

    def _http(self) -> httpx.Client:
        options = self._options()
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(**options)
            return self._client

    # what comes back
    def _read_json(self, received: bytes) -> dict[str, Any]:
        try:
            said = json.loads(received)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise self._failures.error(
                "it answered something that is no JSON object",
                remedy=f"Is {self._settings.address} the whole address?",
            )
        return said

    def _read_answer(self, said: dict[str, Any]) -> ChatAnswer:
        try:
            return self._protocol.answer(said)  # type: ignore[no-any-return]
        except _NO_ANSWER:
            line = self._failures.told(said)
            raise self._failures.error(f"it answered no completion: {line}") from None

    def _read_event(self, kind: str, data: str) -> ChatPiece | None:
        said = self._read_json(data.encode("utf-8", "replace"))
        try:
            # A server that fails in the middle says so in the middle.
            failed = said.get("error") or said.get("object") == "error"
            if failed and self._protocol is openai_protocol:
                raise ProviderError(self._failures.told(said))
            return self._protocol.piece(kind, said)  # type: ignore[no-any-return]
        except ProviderError as error:
            line = self._failures.line(error.what)
            raise self._failures.error(line, retryable=error.retryable) from None
        except _NO_ANSWER:
            raise self._failures.error(f"it streamed no completion: {self._failures.line(data)}") from None

    # failures
    def _becomes_newer(self, error: ProviderError) -> bool:
        """Whether the model only wants its most tokens under the newer name: then it is asked again."""
        if error.status == 400 and "max_completion_tokens" in error.what and not self._newer:
            self._newer = True
            return True
        return False

    def _pause(self, attempts: Attempts, error: ProviderError) -> float:
        seconds = attempts.pause(error)
        log.info("asked again in %.1f s: %s", seconds, error)
        return seconds
