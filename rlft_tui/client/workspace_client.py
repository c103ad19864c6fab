"""Every call the server answers, typed. Screens and commands use nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.preference import (
    HistoryEntry,
    LabelOperation,
    Preference,
    Progress,
)
from rlft_tui.labels.queue_item import QueuePage
from rlft_tui.models.model import Model, Rating
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.runs.run_status import LogPage, RunSummary, Sample, Series
from rlft_tui.server.answers import GenerateRequest, Health, Home, Page, StreamedText

API = "/api/v1"
T = TypeVar("T")


class WorkspaceClient(AbstractContextManager["WorkspaceClient"]):
    """A connection to the workspace's server; safe to use from several threads."""

    def __init__(self, socket: Path, *, timeout: float = 30.0) -> None:
        self.socket = socket
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://rlft" + API,
            timeout=httpx.Timeout(timeout, connect=5.0),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # server
    def health(self) -> Health:
        return self._get("/health", Health)

    def shutdown(self) -> None:
        self._post("/shutdown", dict[str, Any])

    def home(self, labeler: str) -> Home:
        return self._get("/home", Home, labeler=labeler)

    def backup(self) -> str:
        """Make a backup now; its folder."""
        return self._post("/backups", dict[str, str])["path"]

    # prompts and pairs
    def import_prompts(self, name: str, content: bytes) -> ImportReport:
        return self._post("/prompts/import", ImportReport, content=content, name=name)

    def prompts(self, *, offset: int = 0, limit: int = 100, search: str = "", category: str = "") -> Page:
        return self._get("/prompts", Page, offset=offset, limit=limit, search=search, category=category)

    def import_pairs(self, name: str, content: bytes, *, labeler: str) -> ImportReport:
        """TRL rows bring a verdict with them, stored under ``labeler``."""
        return self._post("/pairs/import", ImportReport, content=content, name=name, labeler=labeler)

    def add_pairs(self, pairs: list[ResponsePair]) -> int:
        """Store pairs made elsewhere; those already there (by id) are left alone. Count of new ones."""
        return self._post("/pairs", dict[str, int], pairs)["added"]

    def pairs(self, *, offset: int = 0, limit: int = 100, search: str = "", category: str = "") -> Page:
        return self._get("/pairs", Page, offset=offset, limit=limit, search=search, category=category)

    def pair(self, pair_id: str) -> ResponsePair:
        return self._get(f"/pairs/{pair_id}", ResponsePair)

    # labels
    def queue(self, labeler: str, *, limit: int = 5, exclude: tuple[str, ...] = ()) -> QueuePage:
        """The labeller's next pairs in a fixed random order, without those in ``exclude``."""
        return self._post("/queue", QueuePage, {"labeler": labeler, "limit": limit, "exclude": exclude})

    def add_label(self, operation: LabelOperation) -> Progress:
        """Store one operation; when this returns it survives any crash. Safe to repeat."""
        kind = type(operation).__name__.lower()
        return self._post("/labels", Progress, {"kind": kind, **msgspec.to_builtins(operation)})

    def history(self, labeler: str, *, limit: int = 100) -> tuple[HistoryEntry, ...]:
        return self._get("/labels/history", tuple[HistoryEntry, ...], labeler=labeler, limit=limit)

    def labels(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Preference, ...]:
        """Current verdicts, oldest first."""
        return self._get("/labels", tuple[Preference, ...], labeler=labeler, offset=offset, limit=limit)

    def label_stats(self, *, labeler: str = "") -> LabelStats:
        return self._get("/labels/stats", LabelStats, labeler=labeler)

    # data sets
    def build_dataset(self, spec: DatasetSpec) -> Dataset:
        return self._post("/datasets", Dataset, spec)

    def datasets(self) -> tuple[Dataset, ...]:
        return self._get("/datasets", tuple[Dataset, ...])

    def dataset(self, name_or_hash: str) -> Dataset:
        """By hash, the start of one, or name; ``latest`` for the newest."""
        return self._get(f"/datasets/{name_or_hash}", Dataset)

    # models
    def models(self) -> tuple[Model, ...]:
        return self._get("/models", tuple[Model, ...])

    def add_model(self, model: Model) -> Model:
        return self._post("/models", Model, model)

    def ratings(self, *, against: str = "") -> tuple[Rating, ...]:
        return self._get("/models/ratings", tuple[Rating, ...], against=against)

    # runs
    def launch(self, values: dict[str, Any]) -> RunSummary:
        """Start a run from a spec as plain values (see runs/run_spec.py).

        ``model``, ``model_a`` and ``model_b`` may be registry names; ``dataset`` whatever
        ``dataset()`` takes. A generate run takes ``prompt_rows``: a list of GenerationPrompt
        values, written to the run folder.
        """
        return self._post("/runs", RunSummary, values)

    def runs(self) -> tuple[RunSummary, ...]:
        """Newest first."""
        return self._get("/runs", tuple[RunSummary, ...])

    def run(self, run_id: str) -> RunSummary:
        return self._get(f"/runs/{run_id}", RunSummary)

    def series(self, run_id: str, keys: list[str], *, points: int = 500) -> tuple[Series, ...]:
        """At most ``points`` bins a key. No keys: all of them. NotFoundError for an unknown key."""
        return self._get(f"/runs/{run_id}/series", tuple[Series, ...], keys=",".join(keys), points=points)

    def samples(self, run_id: str, *, after_step: int = -1) -> tuple[Sample, ...]:
        return self._get(f"/runs/{run_id}/samples", tuple[Sample, ...], after_step=after_step)

    def log(self, run_id: str, *, start: int = -1, limit: int = 65536) -> LogPage:
        """output.log from a byte offset; -1 for the last ``limit`` bytes."""
        return self._get(f"/runs/{run_id}/log", LogPage, start=start, limit=limit)

    def stop(self, run_id: str) -> RunSummary:
        """Ask for a verified checkpoint and an end; returns at once."""
        return self._post(f"/runs/{run_id}/stop", RunSummary)

    def resume(self, run_id: str) -> RunSummary:
        """Go on from the last verified checkpoint."""
        return self._post(f"/runs/{run_id}/resume", RunSummary)

    def delete_run(self, run_id: str) -> None:
        self._request("DELETE", f"/runs/{run_id}", dict[str, Any])

    # inference
    def generate(self, request: GenerateRequest) -> Iterator[StreamedText]:
        """Stream the answers; leaving the iterator early cancels the generation."""
        decoder = msgspec.json.Decoder(StreamedText)
        try:
            with self._http.stream(
                "POST",
                "/inference/generate",
                content=msgspec.json.encode(request),
                timeout=httpx.Timeout(600.0),
            ) as response:
                if response.is_error:
                    response.read()
                    raise _error(response)
                for line in response.iter_lines():
                    if line:
                        yield decoder.decode(line)
        except httpx.TransportError as error:
            raise _unreachable(self.socket, error) from error

    def inference_status(self) -> dict[str, Any]:
        """What the inference worker holds: running, pid, base, adapters, memory_mb."""
        return self._get("/inference", dict[str, Any])

    # plumbing
    def _get(self, path: str, kind: type[T], **query: Any) -> T:
        return self._request("GET", path, kind, query=query)

    def _post(
        self, path: str, kind: type[T], body: Any = None, *, content: bytes | None = None, **query: Any
    ) -> T:
        data = content if content is not None else msgspec.json.encode(body)
        return self._request("POST", path, kind, query=query, content=data)

    def _request(
        self,
        verb: str,
        path: str,
        kind: type[T],
        *,
        query: dict[str, Any] | None = None,
        content: bytes | None = None,
    ) -> T:
        try:
            response = self._http.request(verb, path, params=query, content=content)
        except httpx.TransportError as error:
            raise _unreachable(self.socket, error) from error
        if response.is_error:
            raise _error(response)
        return msgspec.json.decode(response.content, type=kind)


_KINDS: dict[int, type[RlftError]] = {404: NotFoundError, 409: ConflictError, 503: UnavailableError}


def _error(response: httpx.Response) -> RlftError:
    """The server's own error, or one line about an answer that is none."""
    try:
        body = msgspec.json.decode(response.content, type=dict[str, Any])
        what, where, remedy = body["what"], body.get("where", ""), body.get("remedy", "")
    except (msgspec.DecodeError, KeyError):
        return RlftError(
            f"the server answered {response.status_code}", remedy="See server.log in the workspace"
        )
    return _KINDS.get(response.status_code, RlftError)(what, where=where, remedy=remedy)


def _unreachable(socket: Path, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"no answer from the workspace server ({type(error).__name__})",
        where=str(socket),
        remedy="Try again: the next command starts it. Its log is server.log in the workspace",
    )
