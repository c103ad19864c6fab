"""The inference worker: started when first asked, kept while it is used, replaced when it dies.

The worker (``python -m rlft_tui.jobs.infer``) reads requests and writes replies as
JSON lines. It ends when its standard input does, so it cannot outlive the server.
Sides that a provider answers are asked from here, and stream beside the worker's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import psutil

from rlft_tui.config import Settings, read_settings
from rlft_tui.database.connection import Database
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.models.pull import require_training_stack
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Role
from rlft_tui.providers.settings import ProviderSettings, key_of
from rlft_tui.runs.exit_reason import one_line
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.server.answers import MOST_SIDES, GenerateRequest, ProviderModel, StreamedText
from rlft_tui.server.inference_wire import piece_of, sampling_of, worker_request
from rlft_tui.server.merged import merged
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.provider_answers import provider_side
from rlft_tui.server.worker_process import Reply, WorkerProcess

if TYPE_CHECKING:
    from rlft_tui.providers.provider import Provider

log = logging.getLogger("rlft.server.inference")

LOG_NAME = "inference.log"
_REQUESTS_AT_ONCE = 16
"""They are rows of one batch; the sixteenth still gets several tokens a second."""
_LOG_TAIL = 4096
_LARGEST_LOG = 4 << 20
_ROLES = get_args(Role)
Answerer: TypeAlias = "ModelSource | Provider"
"""Who answers a side: the worker with these folders, or a provider."""


class Inference:
    """Answers prompts through one worker; a few requests at a time, the others wait."""

    def __init__(
        self, workspace: Workspace, settings: Settings, database: Database, *, command: Sequence[str] = ()
    ) -> None:
        """``command`` takes the place of the worker's own module."""
        self._workspace = workspace
        self._settings = settings
        self._database = database
        own = [sys.executable, "-P", "-m", "rlft_tui.jobs.infer", "--threads", str(settings.threads)]
        self._command = list(command) or own
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

    def resolve(self, request: GenerateRequest) -> list[Answerer]:
        """Who answers each side. NotFoundError: one is not here. RlftError: one cannot be drawn so."""
        sides = request.asked()
        if not sides:
            raise RlftError("no model to ask", remedy="Name one or two: rlft models list")
        if len(sides) > MOST_SIDES:
            raise RlftError(f"{len(sides)} sides are too many", remedy=f"Ask {MOST_SIDES} at most at once")
        if not request.prompt.strip():
            raise RlftError("the prompt is empty")
        for turn in request.context:
            if turn.get("role") not in _ROLES or not isinstance(turn.get("content"), str):
                raise RlftError(f"context: each turn has a role ({', '.join(_ROLES)}) and content")
        for number, side in enumerate(sides):
            where = f"side {number + 1}" if request.sides else ""
            sampling_of(side, where)
            if abs(side.seed or 0) >= 2**63:
                raise RlftError("seed: must be below 2^63", where=where)
        return self.answerers([side.model for side in sides])

    def answerers(self, names: Sequence[str]) -> list[Answerer]:
        """The models or providers of these names."""
        found: list[Answerer] = []
        providers = self.provider_settings()
        with self._database.reader() as connection:
            for name in names:
                if name.endswith(".gguf") and Path(name).is_absolute() and Path(name).is_file():
                    found.append(ModelSource(name=Path(name).name, path=name))
                    continue
                try:
                    found.append(resolve_model(connection, name))
                except NotFoundError:
                    if name.partition(":")[0] not in providers:
                        raise
                    from rlft_tui.providers.provider import open_provider

                    found.append(open_provider(providers, name))
        if self._own_module and any(isinstance(one, ModelSource) for one in found):
            require_training_stack()
        return found

    def provider_settings(self) -> dict[str, ProviderSettings]:
        """As rlft.toml says now: a provider that was just written down can be asked."""
        return read_settings(self._workspace.settings).providers

    def providers(self) -> list[ProviderModel]:
        """The providers of rlft.toml, and whether their keys are there."""
        found = []
        for name, one in self.provider_settings().items():
            note = ""
            try:
                key_of(name, one)
            except RlftError as error:
                note = str(error)
            found.append(ProviderModel(name, one.kind, one.model, one.address, not note, note))
        return found

    def provider_models(self, name: str) -> list[str]:
        """What a provider says it offers."""
        from rlft_tui.providers.provider import open_provider

        return open_provider(self.provider_settings(), f"{name}:-", attempts=2).models()

    def warm_up(self, names: Sequence[str]) -> None:
        """Have the worker load these in the background, so that their first answer need not wait."""
        sources = [one for one in self.answerers(names) if isinstance(one, ModelSource)]
        if not sources:
            return
        with self._use():
            worker = self._take_worker(sources)
            request_id = str(next(self._ids))

            def told(reply: Reply | None) -> None:
                if reply is not None and reply.get("kind") in ("done", "error"):
                    worker.forget(request_id, cancel=False)

            worker.ask({"id": request_id, "load": [one.model_dump() for one in sources]}, told)

    async def generate(
        self, request: GenerateRequest, models: Sequence[Answerer]
    ) -> AsyncGenerator[StreamedText, None]:
        """Stream the answers; the last piece of each side is ``done`` or ``error``.

        Closing the iterator early cancels the generation.
        """
        sides = request.asked()
        local = {number: one for number, one in enumerate(models) if isinstance(one, ModelSource)}
        streams = [
            provider_side(one, sides[number], number, request)
            for number, one in enumerate(models)
            if not isinstance(one, ModelSource)
        ]
        if local:
            streams.append(self._local(request, local))
        async with contextlib.aclosing(merged(streams)) as pieces:
            async for piece in pieces:
                yield piece

    async def _local(
        self, request: GenerateRequest, models: dict[int, ModelSource]
    ) -> AsyncGenerator[StreamedText, None]:
        """The sides that the worker answers, by their numbers."""
        if self._turns.locked():
            yield StreamedText("loading", text="waiting for other answers")
        async with self._turns:
            with self._use():
                try:
                    worker = await asyncio.to_thread(self._take_worker, list(models.values()))
                except RlftError as error:
                    for side in models:
                        yield StreamedText("error", side=side, text=str(error))
                    return
                async with contextlib.aclosing(self._stream(worker, request, models)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _stream(
        self, worker: WorkerProcess, request: GenerateRequest, models: dict[int, ModelSource]
    ) -> AsyncGenerator[StreamedText, None]:
        request_id = str(next(self._ids))
        replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        numbers = list(models)
        waiting = set(numbers)
        try:
            asked = worker.ask(
                worker_request(request_id, request, models), lambda reply: _hand_over(loop, replies, reply)
            )
            while waiting:
                reply = await replies.get() if asked else None
                if reply is None:
                    line = await asyncio.to_thread(self._death, worker)
                    for side in sorted(waiting):
                        yield StreamedText("error", side=side, text=line, restarts=True)
                    waiting.clear()
                    return
                piece = piece_of(reply, numbers)
                if piece.kind == "error" and "side" not in reply:
                    for side in sorted(waiting):
                        yield StreamedText("error", side=side, text=piece.text)
                    waiting.clear()
                    return
                if piece.kind in ("done", "error"):
                    waiting -= {piece.side}
                yield piece
        finally:
            worker.forget(request_id, cancel=bool(waiting))

    def status(self) -> dict[str, Any]:
        """Whether a worker runs, what it holds, and how many requests it is ``asked`` now."""
        with self._lock:
            worker = self._worker
            models = list(self._models.values())
            asked = self._users
        if worker is None or worker.ended:
            none: dict[str, Any] = {
                "running": False,
                "pid": None,
                "base": "",
                "adapters": [],
                "memory_mb": None,
            }
            return {**none, "asked": asked}
        memory = worker.memory_mb
        try:
            memory = psutil.Process(worker.pid).memory_info().rss / 1e6
        except psutil.Error:
            log.debug("the worker's memory cannot be read")
        bases = dict.fromkeys(model.path for model in models)
        return {
            "running": True,
            "pid": worker.pid,
            "base": ", ".join(bases),
            "adapters": [model.name for model in models if model.adapter],
            "memory_mb": memory,
            "asked": asked,
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
        why = f": {last}" if last and code > 0 else ""
        return f"the inference worker ended ({how}){why}. The next request starts another"


def _hand_over(
    loop: asyncio.AbstractEventLoop, replies: asyncio.Queue[Reply | None], reply: Reply | None
) -> None:
    try:
        loop.call_soon_threadsafe(replies.put_nowait, reply)
    except RuntimeError:
        log.debug("the server ended before an answer did")
