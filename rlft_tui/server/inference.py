"""The inference worker: started when first asked, kept while it is used, replaced when it dies.

The worker (``python -m rlft_tui.jobs.infer``) reads requests and writes replies as
JSON lines. It ends when its standard input does, so it cannot outlive the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

import psutil

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.models.pull import require_training_stack
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Message, conversation
from rlft_tui.runs.exit_reason import one_line
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.server.answers import GenerateRequest, StreamedText
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.worker_process import Reply, WorkerProcess

log = logging.getLogger("rlft.server.inference")

LOG_NAME = "inference.log"
_REQUESTS_AT_ONCE = 4
_LOG_TAIL = 4096
_LARGEST_LOG = 4 << 20


class Inference:
    """Answers prompts through one worker; a few requests at a time, the others wait."""

    def __init__(
        self, workspace: Workspace, settings: Settings, database: Database, *, command: Sequence[str] = ()
    ) -> None:
        """``command`` takes the place of the worker's own module."""
        self._settings = settings
        self._database = database
        self._command = list(command) or [sys.executable, "-P", "-m", "rlft_tui.jobs.infer"]
        self._own_module = not command
        self._log = workspace.root / LOG_NAME
        self._worker: WorkerProcess | None = None
        self._models: dict[str, ModelSource] = {}
        self._turns = asyncio.Semaphore(_REQUESTS_AT_ONCE)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._closed = False
        self._users = 0
        self._timer: threading.Timer | None = None

    def resolve(self, request: GenerateRequest) -> list[ModelSource]:
        """The models a request names; NotFoundError for one that is not here."""
        if not request.models:
            raise RlftError("no model to ask", remedy="Name one or two: rlft models list")
        if not request.prompt.strip():
            raise RlftError("the prompt is empty")
        if self._own_module:
            require_training_stack()
        with self._database.reader() as connection:
            return [resolve_model(connection, name) for name in request.models]

    async def generate(
        self, request: GenerateRequest, models: list[ModelSource]
    ) -> AsyncGenerator[StreamedText, None]:
        """Stream the answers; the last piece of each side is ``done`` or ``error``.

        Closing the iterator early cancels the generation.
        """
        if self._turns.locked():
            yield StreamedText("loading", text="waiting for other answers")
        async with self._turns:
            with self._use():
                worker = await asyncio.to_thread(self._take_worker, models)
                async with contextlib.aclosing(self._stream(worker, request, models)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _stream(
        self, worker: WorkerProcess, request: GenerateRequest, models: list[ModelSource]
    ) -> AsyncGenerator[StreamedText, None]:
        request_id = str(next(self._ids))
        replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        waiting = set(range(len(models)))
        try:
            asked = worker.ask(
                _request(request_id, request, models), lambda reply: _hand_over(loop, replies, reply)
            )
            while waiting:
                reply = await replies.get() if asked else None
                if reply is None:
                    line = await asyncio.to_thread(self._death, worker)
                    for side in sorted(waiting):
                        yield StreamedText("error", side=side, text=line)
                    waiting.clear()
                    return
                piece = _piece(reply)
                if piece.kind in ("done", "error"):
                    waiting -= {piece.side} if "side" in reply else set(waiting)
                yield piece
        finally:
            worker.forget(request_id, cancel=bool(waiting))

    def status(self) -> dict[str, Any]:
        """Whether a worker runs, and what it holds."""
        with self._lock:
            worker = self._worker
            models = list(self._models.values())
        if worker is None or worker.ended:
            return {"running": False, "pid": None, "base": "", "adapters": [], "memory_mb": None}
        memory = worker.memory_mb
        try:
            memory = psutil.Process(worker.pid).memory_info().rss / 2**20
        except psutil.Error:
            log.debug("the worker's memory cannot be read")
        bases = dict.fromkeys(model.path for model in models)
        return {
            "running": True,
            "pid": worker.pid,
            "base": ", ".join(bases),
            "adapters": [model.name for model in models if model.adapter],
            "memory_mb": memory,
        }

    def close(self) -> None:
        """End the worker for good."""
        with self._lock:
            self._closed = True
        self._end_worker()

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        """While somebody uses the worker it is not ended for being idle."""
        with self._lock:
            self._users += 1
            if self._timer is not None:
                self._timer.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and not self._closed:
                    seconds = self._settings.worker_idle_minutes * 60
                    self._timer = threading.Timer(seconds, self._end_if_unused)
                    self._timer.daemon = True
                    self._timer.start()

    def _take_worker(self, models: list[ModelSource]) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise UnavailableError("the server is ending")
            if self._worker is None or self._worker.ended:
                self._worker = self._start_worker()
                self._models = {}
            self._models |= {model.name: model for model in models}
            return self._worker

    def _start_worker(self) -> WorkerProcess:
        try:
            large = self._log.exists() and self._log.stat().st_size > _LARGEST_LOG
            with self._log.open("wb" if large else "ab") as errors:
                return WorkerProcess(self._command, errors)
        except OSError as error:
            raise UnavailableError(
                f"the inference worker did not start: {error.strerror or error}", where=str(self._log)
            ) from None

    def _end_if_unused(self) -> None:
        with self._lock:
            if self._users:
                return
        self._end_worker()

    def _end_worker(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
            if self._timer is not None:
                self._timer.cancel()
        if worker is not None:
            worker.end()

    def _death(self, worker: WorkerProcess) -> str:
        """Why the worker is gone, in one line."""
        code = worker.exit_code()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        try:
            with self._log.open("rb") as stream:
                stream.seek(max(0, self._log.stat().st_size - _LOG_TAIL))
                last = one_line(stream.read().decode(errors="replace"))
        except OSError:
            last = ""
        return f"the inference worker ended ({how})" + (f": {last}" if last and code > 0 else "")


def _request(request_id: str, request: GenerateRequest, models: list[ModelSource]) -> Reply:
    context = tuple(Message(turn["role"], turn["content"]) for turn in request.context)  # type: ignore[arg-type]
    return {
        "id": request_id,
        "models": [{"name": model.name, "path": model.path, "adapter": model.adapter} for model in models],
        "messages": conversation(request.prompt, context),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_new_tokens": request.max_new_tokens,
        "seed": request.seed,
    }


def _piece(reply: Reply) -> StreamedText:
    rate = reply.get("tokens_per_second")
    return StreamedText(
        kind=reply.get("kind", "error"),
        side=int(reply.get("side") or 0),
        text=str(reply.get("text") or ""),
        tokens=int(reply.get("tokens") or 0),
        tokens_per_second=float(rate) if isinstance(rate, int | float) else None,
    )


def _hand_over(
    loop: asyncio.AbstractEventLoop, replies: asyncio.Queue[Reply | None], reply: Reply | None
) -> None:
    try:
        loop.call_soon_threadsafe(replies.put_nowait, reply)
    except RuntimeError:
        log.debug("the server ended before an answer did")
