"""The inference worker: ``python -m rlft_tui.jobs.infer``, JSON lines on stdin and stdout.

It keeps one base in memory with the LoRA adapters asked for so far, streams all
sides of a request at the same time (one token of each in turn, every side with
its own KV cache), and ends when stdin does. A request::

    {"id", "models": [{"name", "path", "adapter"}…], "messages": [{"role", "content"}…],
     "temperature", "top_p", "max_new_tokens", "seed"}        or        {"cancel": id}

Replies: ``{"kind": "ready", "pid"}`` first; then for each request ``loading``, ``text``
(the new piece only, at most 20 a second a side), ``done`` (with ``memory_mb``) or
``error`` (``text`` is one line; without ``side`` it ends the whole request). A
cancelled request gets no further replies. Nothing else is written to stdout.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from rlft_tui.errors import RlftError
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.runs.run_spec import ModelSource, Sampling

if TYPE_CHECKING:
    from rlft_tui.jobs.decoding import Decoding, Row
    from rlft_tui.jobs.model_loading import AdapterBase

PIECE_SECONDS = 0.05


class Request(BaseModel):
    """One conversation to be answered by one or several models."""

    id: str
    models: list[ModelSource] = Field(min_length=1)
    messages: list[dict[str, str]] = Field(min_length=1)
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0


@dataclass(eq=False)
class Side:
    """One answer being streamed."""

    request: str
    number: int
    base: AdapterBase
    adapter: str
    row: Row
    decoding: Decoding
    began: float = field(default_factory=time.monotonic)
    sent: str = ""
    sent_at: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.row.tokens) / max(1e-6, time.monotonic() - self.began)


class Worker:
    """Everything runs in one thread; another one only reads stdin."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._bases: dict[str, AdapterBase] = {}
        self._sides: list[Side] = []
        self._ended = False

    def run(self, source: IO[bytes]) -> None:
        """Answer until ``source`` ends; what is being streamed then is dropped."""
        threading.Thread(target=self._read, args=(source,), daemon=True).start()
        while not self._ended:
            self._take_lines()
            for side in list(self._sides):
                if side in self._sides:
                    self._advance(side)

    def _read(self, source: IO[bytes]) -> None:
        for line in source:
            self._lines.put(line)
        self._lines.put(None)

    def _take_lines(self) -> None:
        """Handle what has arrived; wait for it only when nothing is being streamed."""
        while not self._ended:
            try:
                line = self._lines.get(block=not self._sides)
            except queue.Empty:
                return
            if line is None:
                self._ended = True
            elif line.strip():
                self._handle(line)

    def _handle(self, line: bytes) -> None:
        identity = None
        try:
            record = json.loads(line)
            if isinstance(record, dict) and "cancel" in record:
                self._sides = [side for side in self._sides if side.request != str(record["cancel"])]
                return
            identity = record.get("id") if isinstance(record, dict) else None
            self._begin(Request.model_validate(record))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            self._send(id=identity, kind="error", text=f"not a request: {place}: {first['msg'].lower()}")
        except Exception as error:
            self._send(id=identity, kind="error", text=one_line(error))

    def _begin(self, request: Request) -> None:
        from rlft_tui.jobs.decoding import Decoding, Row, derived_seed, end_ids, prompt_ids

        sampling = Sampling(
            temperature=request.temperature, top_p=request.top_p, max_new_tokens=request.max_new_tokens
        )
        self._load_bases(request)
        sides = []
        for number, source in enumerate(request.models):
            base = self._bases[source.path]
            base.load(source.adapter)
            row = Row(
                prompt_ids(base.tokenizer, request.messages),
                sampling,
                derived_seed(request.seed, "side", str(number)),
            )
            ends = end_ids(base.model, base.tokenizer)
            decoding = Decoding(base.model, [row], ends, base.tokenizer.pad_token_id)
            sides.append(Side(request.id, number, base, source.adapter, row, decoding))
        self._sides += sides

    def _load_bases(self, request: Request) -> None:
        """Have the bases of this request in memory; others make room unless they are in use."""
        from rlft_tui.jobs.model_loading import AdapterBase, choose_device, choose_dtype

        wanted = {source.path: source.name for source in request.models}
        if missing := [path for path in wanted if path not in self._bases]:
            in_use = {side.base.path for side in self._sides}
            for path in [p for p in self._bases if p not in wanted and p not in in_use]:
                del self._bases[path]
            device = choose_device()
            for path in missing:
                self._send(id=request.id, kind="loading", text=wanted[path])
                self._bases[path] = AdapterBase(path, choose_dtype("auto", device), device)

    def _advance(self, side: Side) -> None:
        """One more token for one side, and its text when it is time."""
        import torch

        try:
            side.base.select(side.adapter)
            # An adapter loaded meanwhile has wrapped the model anew.
            side.decoding.model = side.base.model
            with torch.inference_mode():
                side.decoding.step()
            ended = bool(side.row.ended)
            if ended or time.monotonic() - side.sent_at >= PIECE_SECONDS:
                self._send_text(side, last=ended)
        except Exception as error:
            self._sides.remove(side)
            self._send(id=side.request, kind="error", side=side.number, text=one_line(error))
            return
        if ended:
            from rlft_tui.jobs.model_loading import peak_memory_mb

            self._sides.remove(side)
            self._send(
                id=side.request,
                kind="done",
                side=side.number,
                tokens=len(side.row.tokens),
                tokens_per_second=side.rate,
                memory_mb=peak_memory_mb(),
            )

    def _send_text(self, side: Side, *, last: bool) -> None:
        piece = new_text(side.base.tokenizer, side.row.tokens, side.sent, last=last)
        if not piece:
            return
        side.sent += piece
        side.sent_at = time.monotonic()
        self._send(
            id=side.request,
            kind="text",
            side=side.number,
            text=piece,
            tokens=len(side.row.tokens),
            tokens_per_second=side.rate,
        )

    def _send(self, **reply: Any) -> None:
        self._output.write(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
        self._output.flush()


def new_text(tokenizer: Any, tokens: list[int], sent: str, *, last: bool) -> str:
    """What the tokens say beyond ``sent``.

    A character whose bytes are not all there yet decodes to U+FFFD: unless this is the
    last piece, it waits for the rest.
    """
    text = str(tokenizer.decode(tokens, skip_special_tokens=True))
    return (text if last else text.rstrip("\ufffd"))[len(sent) :]


def one_line(error: Exception) -> str:
    if isinstance(error, RlftError):
        return str(error)
    if isinstance(error, ValidationError):
        return f"{error.errors()[0]['msg'].lower()}"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def main() -> int:
    # What libraries print must not end up between the replies.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    prepare_environment()
    output.write(json.dumps({"kind": "ready", "pid": os.getpid()}).encode() + b"\n")
    output.flush()
    # Everything slow is imported before the first request has to wait for it.
    from rlft_tui.jobs import decoding, model_loading  # noqa: F401

    try:
        Worker(output).run(sys.stdin.buffer)
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
