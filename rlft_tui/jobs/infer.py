"""The inference worker: ``python -m rlft_tui.jobs.infer``, JSON lines on stdin and stdout.

It keeps bases in memory with the LoRA adapters asked for so far and streams all sides of all
requests at the same time: sides on one base are rows of one batch, whatever adapters they wear.
It ends when stdin does. A line is an InferenceRequest, a WarmUp (both in runs/specs/inference) or
``{"cancel": id}``.

Replies: ``{"kind": "ready", "pid"}`` first; then for each request ``loading``, ``text`` (the new
piece only, at most 20 a second a side), and for each side ``done`` or ``error`` (``text`` is one
line; without ``side`` it ends the whole request). A WarmUp gets ``loading``, then ``done``. A
cancelled request gets no further replies. Nothing else is written to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any

from pydantic import ValidationError

from rlft_tui.errors import RlftError
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.runs.specs.inference import InferenceRequest, WarmUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlft_tui.jobs.answer_side import Side
    from rlft_tui.jobs.gguf_answers import GgufAnswers
    from rlft_tui.jobs.torch_answers import TorchAnswers
    from rlft_tui.runs.specs.base import ModelSource


class Worker:
    """Everything runs in one thread; another one only reads stdin."""

    def __init__(self, output: IO[bytes]) -> None:
        from rlft_tui.jobs.gguf_answers import GgufAnswers
        from rlft_tui.jobs.torch_answers import TorchAnswers

        self._output = output
        self._lines: queue.SimpleQueue[tuple[float, bytes | None]] = queue.SimpleQueue()
        self._torch = TorchAnswers()
        self._gguf = GgufAnswers()
        self._ended = False

    def run(self, source: IO[bytes]) -> None:
        """Answer until ``source`` ends; what is being streamed then is dropped."""
        threading.Thread(target=self._read, args=(source,), daemon=True).start()
        while not self._ended:
            self._take_lines()
            for engine in (self._torch, self._gguf):
                sides, wrong = engine.step()
                for side in sides:
                    self._tell(side, wrong)

    def _read(self, source: IO[bytes]) -> None:
        for line in source:
            self._lines.put((time.monotonic(), line))
        self._lines.put((time.monotonic(), None))

    def _take_lines(self) -> None:
        """Handle what has arrived; wait for it only when nothing is being streamed."""
        while not self._ended:
            try:
                arrived, line = self._lines.get(block=not (self._torch.is_busy or self._gguf.is_busy))
            except queue.Empty:
                return
            if line is None:
                self._ended = True
            elif line.strip():
                self._handle(line, arrived)

    def _handle(self, line: bytes, arrived: float) -> None:
        identity = None
        try:
            record = json.loads(line)
            if isinstance(record, dict) and "cancel" in record:
                self._torch.cancel(str(record["cancel"]))
                self._gguf.cancel(str(record["cancel"]))
                return
            identity = record.get("id") if isinstance(record, dict) else None
            if isinstance(record, dict) and "load" in record:
                self._warm_up(WarmUp.model_validate(record))
            else:
                self._begin(InferenceRequest.model_validate(record), arrived)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            self._send(id=identity, kind="error", text=f"not a request: {place}: {first['msg'].lower()}")
        except Exception as error:
            self._send(id=identity, kind="error", text=one_line(error))

    def _begin(self, request: InferenceRequest, arrived: float) -> None:
        from rlft_tui.jobs.answer_side import Side

        sides = [
            Side(request.id, number, asked, arrived, request.stop, request.probabilities)
            for number, asked in enumerate(request.sides)
        ]
        try:
            for engine, its in self._by_engine(sides):
                engine.begin(its, lambda name: self._send(id=request.id, kind="loading", text=name))
        except BaseException:
            # One of them cannot be answered: then none is.
            self._torch.cancel(request.id)
            self._gguf.cancel(request.id)
            raise

    def _by_engine(self, sides: Sequence[Side]) -> list[tuple[TorchAnswers | GgufAnswers, list[Side]]]:
        ours = [side for side in sides if not is_gguf(side.asked.model)]
        others = [side for side in sides if is_gguf(side.asked.model)]
        found: list[tuple[TorchAnswers | GgufAnswers, list[Side]]] = []
        found += [(self._torch, ours)] if ours else []
        return [*found, (self._gguf, others)] if others else found

    def _warm_up(self, request: WarmUp) -> None:
        def loading(name: str) -> None:
            self._send(id=request.id, kind="loading", text=name)

        self._torch.load([source for source in request.load if not is_gguf(source)], loading)
        self._gguf.load([source for source in request.load if is_gguf(source)], loading)
        self._send(id=request.id, kind="done", memory_mb=resident_mb())

    def _tell(self, side: Side, wrong: str) -> None:
        """What a side has got on by, when it is time; how it ended."""
        if wrong:
            self._send(id=side.request, kind="error", side=side.number, text=wrong)
            return
        if side.is_due() and (piece := side.take()) is not None:
            self._send(id=side.request, kind="text", side=side.number, **piece)
        if side.ended:
            self._send(
                id=side.request,
                kind="done",
                side=side.number,
                tokens=side.tokens,
                tokens_per_second=side.rate,
                ended=side.ended,
                prompt_tokens=side.prompt_tokens,
                seconds_to_first=None if side.first is None else side.first - side.began,
                memory_mb=resident_mb(),
            )

    def _send(self, **reply: Any) -> None:
        self._output.write(json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        self._output.flush()


def is_gguf(source: ModelSource) -> bool:
    return source.path.endswith(".gguf")


def resident_mb() -> float:
    """What this process holds in memory now, on the GPU too, in MB of 10**6 bytes."""
    import psutil
    import torch

    held = psutil.Process().memory_info().rss
    return float(held + (torch.cuda.memory_allocated() if torch.cuda.is_available() else 0)) / 1e6


def one_line(error: Exception) -> str:
    if isinstance(error, RlftError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="infer", description="Answer requests on stdin.")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves the choice to torch")
    threads = parser.parse_args(arguments).threads
    # What libraries print must not end up between the replies.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    prepare_environment()
    output.write(json.dumps({"kind": "ready", "pid": os.getpid()}).encode() + b"\n")
    output.flush()
    # Everything slow is imported before the first request has to wait for it.
    from rlft_tui.jobs.model_loading import set_threads

    set_threads(threads)
    try:
        Worker(output).run(sys.stdin.buffer)
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
