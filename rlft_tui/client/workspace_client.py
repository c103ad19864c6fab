"""Every call the server answers, typed. Screens and commands use nothing else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.evaluations.stopping_rule import Separation
from rlft_tui.labels.agreement import Agreement
from rlft_tui.labels.bias import Bias
from rlft_tui.labels.feedback import Feedback, FeedbackEntry, FeedbackProgress, ScorePage
from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.labelled_pair import ExportHead, LabelledPair
from rlft_tui.labels.operation_codec import history_entry_from, plain_values
from rlft_tui.labels.pace import Pace
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    LabelOperation,
    Preference,
    Progress,
    Revocation,
)
from rlft_tui.labels.queue_item import QueuePage
from rlft_tui.labels.queue_view import QueueChoices, QueueView
from rlft_tui.labels.ranking import Ranking, RankingEntry, RankPage, RankProgress
from rlft_tui.labels.reliability import ArmReport, GoldPair, Reliability
from rlft_tui.models.model import Model, Rating
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.runs.run_status import LogPage, RunSummary, Sample, Series
from rlft_tui.server.answers import GenerateRequest, Health, Home, Page, RemoteState, StreamedText

API = "/api/v1"
T = TypeVar("T")


class WorkspaceClient(AbstractContextManager["WorkspaceClient"]):
    """A connection to the workspace's server; safe to use from several threads."""

    def __init__(self, socket: Path, *, timeout: float = 30.0, url: str = "", token: str = "") -> None:
        """On this machine through the server's ``socket``, or at a ``url`` with its ``token``."""
        self.socket = socket
        self.revive: Callable[[], Path] | None = None
        """Brings back a server that died and tells its socket; set by ``connect``."""
        self._url, self._token = url, token
        self._timeout = timeout
        self._reviving = threading.Lock()
        self._http = self._open()

    @property
    def address(self) -> str:
        """Where the server is, as errors about the connection name it."""
        return self._url or str(self.socket)

    def _open(self) -> httpx.Client:
        timeout = httpx.Timeout(self._timeout, connect=5.0)
        if self._url:
            return httpx.Client(
                transport=httpx.HTTPTransport(verify=self._url.startswith("https:")),
                base_url=self._url + API,
                headers={"authorization": f"Bearer {self._token}"},
                timeout=timeout,
            )
        return httpx.Client(
            # No TLS on a Unix socket, and loading the certificates would take longer than any request.
            transport=httpx.HTTPTransport(uds=str(self.socket), verify=False),
            base_url="http://rlft" + API,
            timeout=timeout,
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
        """End the server; returns once it no longer answers."""
        self.revive = None
        self._post("/shutdown", dict[str, Any])
        deadline = time.monotonic() + self._timeout
        while _listens(self.socket):
            if time.monotonic() > deadline:
                raise UnavailableError("the server is still ending", where=str(self.socket))
            time.sleep(0.01)

    def remote(self) -> RemoteState:
        """Whether other machines are served, and where."""
        return self._get("/remote", RemoteState)

    def serve_remote(self, host: str, port: int) -> RemoteState:
        """Serve other machines on this TCP port too (0: a free one), behind the workspace's token."""
        return self._post("/remote", RemoteState, {"host": host, "port": port})

    def end_remote(self) -> RemoteState:
        """Serve other machines no longer."""
        return self._request("DELETE", "/remote", RemoteState)

    def home(self, labeler: str) -> Home:
        return self._get("/home", Home, labeler=labeler)

    def backup(self) -> str:
        """Make a backup now; its folder."""
        return self._post("/backups", dict[str, str], timeout=_LONG)["path"]

    # prompts and pairs
    def import_prompts(self, name: str, content: bytes) -> ImportReport:
        return self._post("/prompts/import", ImportReport, content=content, timeout=_LONG, name=name)

    def prompts(self, *, offset: int = 0, limit: int = 100, search: str = "", category: str = "") -> Page:
        return self._get("/prompts", Page, offset=offset, limit=limit, search=search, category=category)

    def import_pairs(
        self, name: str, content: bytes | Path, *, labeler: str, form: str = "auto"
    ) -> ImportReport:
        """Import a file's bytes, or the file at a path, which is read piece by piece.

        Verdicts come with many formats; those of no named annotator are stored under ``labeler``.
        """
        return self._post(
            "/pairs/import",
            ImportReport,
            content=content,
            timeout=_LONG,
            name=name,
            labeler=labeler,
            form=form,
        )

    def add_pairs(self, pairs: list[ResponsePair]) -> int:
        """Store pairs made elsewhere; those already there (by id) are left alone. Count of new ones."""
        return self._post("/pairs", dict[str, int], pairs)["added"]

    def pairs(self, *, offset: int = 0, limit: int = 100, search: str = "", category: str = "") -> Page:
        return self._get("/pairs", Page, offset=offset, limit=limit, search=search, category=category)

    def pair(self, pair_id: str) -> ResponsePair:
        return self._get(f"/pairs/{_segment(pair_id)}", ResponsePair)

    # labels
    def queue(
        self,
        labeler: str,
        *,
        limit: int = 5,
        exclude: tuple[str, ...] = (),
        view: QueueView = QueueView(),  # noqa: B008 - frozen
        peek: bool = False,
    ) -> QueuePage:
        """The labeller's next pairs in a view, without those whose key is in ``exclude``.

        With ``peek`` nothing changes by asking; else this is the labeller's view from now on.

        A verdict on an item takes over the item's ``source`` and ``arm``.
        """
        asked = {"labeler": labeler, "limit": limit, "exclude": exclude, "peek": peek}
        return self._post("/queue", QueuePage, {**asked, **msgspec.to_builtins(view)})

    def queue_choices(self) -> QueueChoices:
        """What a queue can be filtered by."""
        return self._get("/queue/choices", QueueChoices)

    def set_gold(self, pair_id: str, choice: str) -> None:
        """Say what the right answer of a pair is (a, b or tie), or forget it (empty)."""
        self._post("/labels/gold", dict[str, Any], {"pair_id": pair_id, "choice": choice})

    def gold(self) -> tuple[GoldPair, ...]:
        """Pairs whose right answer is known, in the order they were given."""
        return self._get("/labels/gold", tuple[GoldPair, ...])

    def reliability(self, *, labeler: str = "") -> tuple[Reliability, ...]:
        """What gold pairs and hidden repeats say of each labeller."""
        return self._get("/labels/reliability", tuple[Reliability, ...], labeler=labeler)

    def arms(self) -> tuple[ArmReport, ...]:
        """What each order's verdicts were, and how much a model learns from them."""
        return self._get("/labels/arms", tuple[ArmReport, ...])

    def add_label(self, operation: LabelOperation) -> Progress:
        """Store one operation; when this returns it survives any crash. Safe to repeat."""
        return self._post("/labels", Progress, plain_values(operation))

    def history(
        self, labeler: str, *, limit: int = 100, offset: int = 0, search: str = "", only: str = ""
    ) -> tuple[HistoryEntry, ...]:
        """The labeller's verdicts, marks and written answers, newest first, undone ones included.

        ``only`` is verdict, skip, flag, written or empty for all; ``search`` looks at the prompt
        and at the labeller's own words.
        """
        rows = self._get(
            "/labels/history",
            list[dict[str, Any]],
            labeler=labeler,
            limit=limit,
            offset=offset,
            search=search,
            only=only,
        )
        return tuple(history_entry_from(row) for row in rows)

    def better_answers(
        self, *, labeler: str = "", offset: int = 0, limit: int = 1000
    ) -> tuple[BetterAnswer, ...]:
        """The answers labellers wrote, each one's latest on a pair, oldest first."""
        return self._get(
            "/labels/written", tuple[BetterAnswer, ...], labeler=labeler, offset=offset, limit=limit
        )

    def labels(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Preference, ...]:
        """Current verdicts, oldest first."""
        return self._get("/labels", tuple[Preference, ...], labeler=labeler, offset=offset, limit=limit)

    def label_stats(self, *, labeler: str = "") -> LabelStats:
        return self._get("/labels/stats", LabelStats, labeler=labeler)

    # exports
    def labelled_pairs(self, labeler: str = "") -> tuple[ExportHead, Iterator[LabelledPair]]:
        """Every pair with a current verdict or a written answer, as it stood at one moment.

        Read as it comes: a million pairs are never held. RlftError while reading when the
        server ends before the last pair.
        """
        lines = self._lines("/export/labelled", labeler=labeler)
        head = msgspec.json.decode(next(lines), type=ExportHead)
        decode = msgspec.json.Decoder(LabelledPair).decode
        return head, (decode(line) for line in lines)

    def archive(self, labeler: str = "") -> Iterator[bytes]:
        """The lossless archive of all pairs, and of one labeller's or all label operations, line by line."""
        return (line + b"\n" for line in self._lines("/export/archive", labeler=labeler))

    def pace(self, *, labeler: str = "") -> Pace:
        return self._get("/statistics/pace", Pace, labeler=labeler)

    def bias(self, *, labeler: str = "") -> Bias:
        return self._get("/statistics/bias", Bias, labeler=labeler)

    def agreement(self, *, labeler: str = "") -> Agreement:
        return self._get("/statistics/agreement", Agreement, labeler=labeler)

    def separations(self) -> tuple[Separation, ...]:
        """How far each two models are told apart, those with the most verdicts first."""
        return self._get("/statistics/separations", tuple[Separation, ...])

    # scores
    def next_answers(self, labeler: str, *, limit: int = 5, exclude: tuple[str, ...] = ()) -> ScorePage:
        """The labeller's next answers to be scored, without those whose key is in ``exclude``."""
        body = {"labeler": labeler, "limit": limit, "exclude": exclude}
        return self._post("/feedback/queue", ScorePage, body)

    def add_feedback(self, one: Feedback) -> FeedbackProgress:
        """Store a score; when this returns it survives any crash. Safe to repeat."""
        return self._post("/feedback", FeedbackProgress, one)

    def undo_feedback(self, revocation: Revocation) -> FeedbackProgress:
        return self._post("/feedback/undo", FeedbackProgress, revocation)

    def feedback_history(self, labeler: str, *, limit: int = 100) -> tuple[FeedbackEntry, ...]:
        """The labeller's scores, newest first, undone ones included."""
        return self._get("/feedback/history", tuple[FeedbackEntry, ...], labeler=labeler, limit=limit)

    def feedback(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Feedback, ...]:
        """Standing scores, oldest first."""
        return self._get("/feedback", tuple[Feedback, ...], labeler=labeler, offset=offset, limit=limit)

    # rankings
    def next_sets(self, labeler: str, *, limit: int = 3, exclude: tuple[str, ...] = ()) -> RankPage:
        """The labeller's next sets of answers to be ranked, without those in ``exclude``."""
        body = {"labeler": labeler, "limit": limit, "exclude": exclude}
        return self._post("/rankings/queue", RankPage, body)

    def add_ranking(self, ranking: Ranking) -> RankProgress:
        """Store a ranking with its pairs and their verdicts, durably. Safe to repeat."""
        return self._post("/rankings", RankProgress, ranking)

    def undo_ranking(self, revocation: Revocation) -> RankProgress:
        """Take a ranking back, and the verdicts that came from it."""
        return self._post("/rankings/undo", RankProgress, revocation)

    def import_answers(self, name: str, content: bytes) -> ImportReport:
        """Sets of answers to be ranked, from a file's bytes."""
        return self._post("/rankings/import", ImportReport, content=content, timeout=_LONG, name=name)

    def ranking_history(self, labeler: str, *, limit: int = 100) -> tuple[RankingEntry, ...]:
        """The labeller's rankings, newest first, undone ones included."""
        return self._get("/rankings/history", tuple[RankingEntry, ...], labeler=labeler, limit=limit)

    def rankings(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Ranking, ...]:
        """Standing rankings, oldest first."""
        return self._get("/rankings", tuple[Ranking, ...], labeler=labeler, offset=offset, limit=limit)

    # data sets
    def build_dataset(self, spec: DatasetSpec) -> Dataset:
        return self._post("/datasets", Dataset, spec, timeout=_LONG)

    def datasets(self) -> tuple[Dataset, ...]:
        return self._get("/datasets", tuple[Dataset, ...])

    def dataset(self, name_or_hash: str) -> Dataset:
        """By hash, the start of one, or name; ``latest`` for the newest."""
        return self._get(f"/datasets/{_segment(name_or_hash)}", Dataset)

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
        return self._get(f"/runs/{_segment(run_id)}", RunSummary)

    def series(self, run_id: str, keys: list[str], *, points: int = 500) -> tuple[Series, ...]:
        """At most ``points`` bins a key. No keys: all of them. NotFoundError for an unknown key."""
        return self._get(
            f"/runs/{_segment(run_id)}/series", tuple[Series, ...], keys=",".join(keys), points=points
        )

    def samples(self, run_id: str, *, after_step: int = -1) -> tuple[Sample, ...]:
        return self._get(f"/runs/{_segment(run_id)}/samples", tuple[Sample, ...], after_step=after_step)

    def log(self, run_id: str, *, start: int = -1, limit: int = 65536) -> LogPage:
        """output.log from a byte offset; -1 for the last ``limit`` bytes."""
        return self._get(f"/runs/{_segment(run_id)}/log", LogPage, start=start, limit=limit)

    def stop(self, run_id: str) -> RunSummary:
        """Ask for a verified checkpoint and an end; returns at once."""
        return self._post(f"/runs/{_segment(run_id)}/stop", RunSummary)

    def resume(self, run_id: str) -> RunSummary:
        """Go on from the last verified checkpoint."""
        return self._post(f"/runs/{_segment(run_id)}/resume", RunSummary)

    def delete_run(self, run_id: str) -> None:
        self._request("DELETE", f"/runs/{_segment(run_id)}", dict[str, Any])

    # inference
    def generate(self, request: GenerateRequest) -> Iterator[StreamedText]:
        """Stream the answers; leaving the iterator early cancels the generation."""
        decoder = msgspec.json.Decoder(StreamedText)
        # Only so that a server that died is brought back before the stream begins.
        self.health()
        try:
            with self._http.stream(
                "POST",
                "/inference/generate",
                content=msgspec.json.encode(request),
                headers={"content-type": "application/json"},
                timeout=httpx.Timeout(600.0),
            ) as response:
                if response.is_error:
                    response.read()
                    raise _error(response)
                for line in response.iter_lines():
                    if line:
                        yield decoder.decode(line)
        except httpx.TransportError as error:
            raise _unreachable(self.address, bool(self._url), error) from error

    def inference_status(self) -> dict[str, Any]:
        """What the inference worker holds: running, pid, base, adapters, memory_mb."""
        return self._get("/inference", dict[str, Any])

    # plumbing
    def _lines(self, path: str, **query: Any) -> Iterator[bytes]:
        """The lines of a streamed answer, without their ends."""
        # Only so that a server that died is brought back before the stream begins.
        self.health()
        try:
            with self._http.stream("GET", path, params=query, timeout=httpx.Timeout(_LONG)) as response:
                if response.is_error:
                    response.read()
                    raise _error(response)
                pieces: list[bytes] = []
                for block in response.iter_bytes():
                    first, *others = block.split(b"\n")
                    pieces.append(first)
                    for line in others:
                        yield b"".join(pieces)
                        pieces = [line]
        except httpx.TransportError as error:
            raise _unreachable(self.address, bool(self._url), error) from error

    def _get(self, path: str, kind: type[T], **query: Any) -> T:
        return self._request("GET", path, kind, query=query)

    def _post(
        self,
        path: str,
        kind: type[T],
        body: Any = None,
        *,
        content: bytes | Path | None = None,
        timeout: float | None = None,
        **query: Any,
    ) -> T:
        if content is not None:
            media_type = "application/octet-stream"
        else:
            media_type, content = "application/json", msgspec.json.encode(body)
        return self._request(
            "POST", path, kind, query=query, content=content, media_type=media_type, timeout=timeout
        )

    def _request(
        self,
        verb: str,
        path: str,
        kind: type[T],
        *,
        query: dict[str, Any] | None = None,
        content: bytes | Path | None = None,
        media_type: str = "application/json",
        timeout: float | None = None,
    ) -> T:
        """One request. When the server died under it, it is brought back and asked again."""
        for attempt in range(_ATTEMPTS):
            http = self._http
            try:
                with _readable(content) as body:
                    response = http.request(
                        verb,
                        path,
                        params=query,
                        content=body,
                        headers={"content-type": media_type},
                        timeout=http.timeout if timeout is None else httpx.Timeout(timeout, connect=5.0),
                    )
            except httpx.TransportError as error:
                last = attempt + 1 == _ATTEMPTS
                if self.revive is None or last or isinstance(error, httpx.TimeoutException):
                    raise _unreachable(self.address, bool(self._url), error) from error
                self._bring_back(http)
                continue
            if response.is_error:
                raise _error(response)
            return msgspec.json.decode(response.content, type=kind)
        raise AssertionError("the last attempt returns or raises")

    def _bring_back(self, failed: httpx.Client) -> None:
        """Of several threads whose requests failed, the first one restarts the server.

        The old client is left open: another thread may just be using it.
        """
        with self._reviving:
            if self._http is failed and self.revive is not None:
                self.socket = self.revive()
                self._http = self._open()


_ATTEMPTS = 6
_LONG = 900.0
"""Seconds allowed to what grows with the data: imports, data sets, backups."""

_KINDS: dict[int, type[RlftError]] = {404: NotFoundError, 409: ConflictError, 503: UnavailableError}


def _readable(content: bytes | Path | None) -> AbstractContextManager[bytes | IO[bytes] | None]:
    """A request's body; a file is opened anew for every attempt and sent piece by piece."""
    if not isinstance(content, Path):
        return nullcontext(content)
    try:
        return content.open("rb")
    except OSError as error:
        raise UnavailableError(f"cannot be read: {error.strerror}", where=str(content)) from None


def _segment(value: str) -> str:
    """A name as one part of a path; NotFoundError for one that would lead elsewhere."""
    if value in (".", "..") or "/" in value:
        raise NotFoundError(f"nothing is called {value!r}")
    return quote(value, safe="") or "%20"


def _listens(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        return probe.connect_ex(str(path)) == 0


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


def _unreachable(address: str, remote: bool, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"no answer from the workspace server ({type(error).__name__})",
        where=address,
        remedy="Check that rlft serve runs there"
        if remote
        else "Try again: the next command starts it. Its log is server.log in the workspace",
    )
