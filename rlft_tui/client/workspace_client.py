"""Every call the server answers, typed. Screens and commands use nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.client.run_watching import RunWatching
from rlft_tui.client.transport import LONG, listens, segment
from rlft_tui.datasets.dataset import Dataset, DatasetCheck, DatasetImport, DatasetSpec
from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.evaluations.stopping_rule import Separation
from rlft_tui.labels.agreement import Agreement
from rlft_tui.labels.bias import Bias
from rlft_tui.labels.feedback import Feedback, FeedbackEntry, FeedbackProgress, ScorePage
from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.labeler import Labeler
from rlft_tui.labels.labelled_pair import ExportHead, LabelledPair
from rlft_tui.labels.operation_codec import history_entry_from, plain_values
from rlft_tui.labels.pace import Pace
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    LabelOperation,
    ListedLabel,
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
from rlft_tui.runs.estimate import Estimate, Outcome
from rlft_tui.runs.machine import Machine
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server.answers import GenerateRequest, Health, Home, Page, RemoteState, StreamedText


class WorkspaceClient(RunWatching):
    """The server's calls by name; safe to use from several threads."""

    # server
    def health(self) -> Health:
        return self._get("/health", Health)

    def shutdown(self) -> None:
        """End the server; returns once it no longer answers."""
        self.revive = None
        self._post("/shutdown", dict[str, Any])
        deadline = time.monotonic() + self._timeout
        while listens(self.socket):
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

    def answers(self, seconds: float) -> bool:
        """Whether the server says anything within so many seconds; it is not started for that."""
        try:
            self._request("GET", "/health", Health, timeout=seconds)
        except RlftError:
            return False
        return True

    def home(self, labeler: str) -> Home:
        return self._get("/home", Home, labeler=labeler)

    def backup(self) -> str:
        """Make a backup now; its folder."""
        return self._post("/backups", dict[str, str], timeout=LONG)["path"]

    # prompts and pairs
    def import_prompts(self, name: str, content: bytes) -> ImportReport:
        return self._post("/prompts/import", ImportReport, content=content, timeout=LONG, name=name)

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
            timeout=LONG,
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
        return self._get(f"/pairs/{segment(pair_id)}", ResponsePair)

    # labels
    def queue(
        self,
        labeler: str,
        *,
        limit: int = 5,
        exclude: tuple[str, ...] = (),
        view: QueueView = QueueView(),  # noqa: B008 - frozen
        peek: bool = False,
        window: str = "",
    ) -> QueuePage:
        """The labeller's next pairs in a view, without those whose key is in ``exclude``.

        With ``peek`` nothing changes by asking; else this is the labeller's view from now on. What
        another ``window`` of theirs holds comes last.

        A verdict on an item takes over the item's ``source`` and ``arm``.
        """
        asked = {"labeler": labeler, "limit": limit, "exclude": exclude, "peek": peek, "window": window}
        return self._post("/queue", QueuePage, {**asked, **msgspec.to_builtins(view)})

    def queue_choices(self) -> QueueChoices:
        """What a queue can be filtered by."""
        return self._get("/queue/choices", QueueChoices)

    def set_gold(self, pair_id: str, choice: str, labeler: str = "") -> None:
        """Say what the right answer of a pair is (a, b or tie), or forget it (empty)."""
        said = {"pair_id": pair_id, "choice": choice, "labeler": labeler}
        self._post("/labels/gold", dict[str, Any], said)

    def gold(self) -> tuple[GoldPair, ...]:
        """Pairs whose right answer is known, in the order they were given."""
        return self._get("/labels/gold", tuple[GoldPair, ...])

    def labelers(self) -> tuple[Labeler, ...]:
        """Everyone who labelled here, by name."""
        return self._get("/labels/labelers", tuple[Labeler, ...])

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

    def listed_labels(self, *, offset: int = 0, limit: int = 100) -> tuple[ListedLabel, ...]:
        """Everybody's current verdicts with their prompts, oldest first."""
        return self._get("/labels/listed", tuple[ListedLabel, ...], offset=offset, limit=limit)

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
        return self._post("/rankings/import", ImportReport, content=content, timeout=LONG, name=name)

    def ranking_history(self, labeler: str, *, limit: int = 100) -> tuple[RankingEntry, ...]:
        """The labeller's rankings, newest first, undone ones included."""
        return self._get("/rankings/history", tuple[RankingEntry, ...], labeler=labeler, limit=limit)

    def rankings(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Ranking, ...]:
        """Standing rankings, oldest first."""
        return self._get("/rankings", tuple[Ranking, ...], labeler=labeler, offset=offset, limit=limit)

    # data sets
    def build_dataset(self, spec: DatasetSpec) -> Dataset:
        return self._post("/datasets", Dataset, spec, timeout=LONG)

    def import_dataset(self, spec: DatasetSpec, name: str, content: bytes | Path) -> DatasetImport:
        """Freeze the rows of a file's bytes, or of the file at a path, which is sent piece by piece."""
        wanted = msgspec.json.encode(spec).decode()
        return self._post(
            "/datasets/import", DatasetImport, content=content, timeout=LONG, name=name, spec=wanted
        )

    def datasets(self) -> tuple[Dataset, ...]:
        return self._get("/datasets", tuple[Dataset, ...])

    def dataset(self, name_or_hash: str, *, method: str = "") -> Dataset:
        """By hash, the start of one, or name; ``latest`` for the newest (that the method can use)."""
        return self._get(f"/datasets/{segment(name_or_hash)}", Dataset, method=method)

    def check_dataset(self, dataset: str, model: str, **settings: Any) -> DatasetCheck:
        """What is wrong with a data set for a method, and what the trainer will see of it.

        ``settings``: method (empty for the one the kind is mostly for), max_length, room,
        batch_size, rows (shown in full). ``model``: whose tokenizer.
        """
        asked = {"dataset": dataset, "model": model, **settings}
        return self._post("/datasets/check", DatasetCheck, asked, timeout=LONG)

    def check_launch(self, values: dict[str, Any]) -> DatasetCheck:
        """The proof before a launch with these values: errors forbid it, warnings ask for a yes."""
        return self._post("/datasets/launch-check", DatasetCheck, values, timeout=LONG)

    # models
    def models(self) -> tuple[Model, ...]:
        return self._get("/models", tuple[Model, ...])

    def add_model(self, model: Model) -> Model:
        return self._post("/models", Model, model)

    def score(self, model: str, conversations: list[list[dict[str, str]]]) -> list[float]:
        """A reward model's score of each conversation's last answer, on the model's own scale."""
        return self._post(
            "/models/score", list[float], {"model": model, "conversations": conversations}, timeout=LONG
        )

    def ratings(self, *, against: str = "") -> tuple[Rating, ...]:
        return self._get("/models/ratings", tuple[Rating, ...], against=against)

    # runs
    def machine(self) -> Machine:
        """GPUs and packages of the machine that runs the jobs."""
        return self._get("/machine", Machine)

    def launch(self, values: dict[str, Any]) -> RunSummary:
        """Start a run from a spec as plain values (see runs/run_spec.py).

        ``model``, ``model_a`` and ``model_b`` may be registry names; ``dataset`` whatever
        ``dataset()`` takes. A generate run takes ``prompt_rows``: a list of GenerationPrompt
        values, written to the run folder. It waits in line while the device is taken; ``now`` = true
        starts it beside what is there.
        """
        return self._post("/runs", RunSummary, values)

    def runs(self) -> tuple[RunSummary, ...]:
        """Newest first."""
        return self._get("/runs", tuple[RunSummary, ...])

    def run(self, run_id: str) -> RunSummary:
        return self._get(f"/runs/{segment(run_id)}", RunSummary)

    def run_spec(self, run_id: str) -> dict[str, Any]:
        """What the run was asked to do: the whole spec, as its run.toml holds it."""
        return self._get(f"/runs/{segment(run_id)}/spec", dict[str, Any])

    def stop(self, run_id: str) -> RunSummary:
        """Ask for a verified checkpoint and an end; returns at once."""
        return self._post(f"/runs/{segment(run_id)}/stop", RunSummary)

    def resume(self, run_id: str, *, now: bool = False) -> RunSummary:
        """Go on from the last verified checkpoint when the device is free; ``now``: at once."""
        return self._post(f"/runs/{segment(run_id)}/resume", RunSummary, now=now)

    def pause(self, run_id: str) -> RunSummary:
        """Save a checkpoint and free the device; a run that waits keeps its place. Returns at once."""
        return self._post(f"/runs/{segment(run_id)}/pause", RunSummary)

    def cancel(self, run_id: str) -> RunSummary:
        """Take a run out of the line."""
        return self._post(f"/runs/{segment(run_id)}/cancel", RunSummary)

    def kill(self, run_id: str) -> RunSummary:
        """End a run at once; what came after its last checkpoint is lost."""
        return self._post(f"/runs/{segment(run_id)}/kill", RunSummary)

    def move(self, run_id: str, to: str) -> RunSummary:
        """Change a waiting run's place in the line: first, last, up or down."""
        return self._post(f"/runs/{segment(run_id)}/move", RunSummary, to=to)

    def delete_run(self, run_id: str) -> None:
        self._request("DELETE", f"/runs/{segment(run_id)}", dict[str, Any])

    # inference
    def generate(self, request: GenerateRequest) -> Iterator[StreamedText]:
        """Stream the answers; leaving the iterator early cancels the generation."""
        decoder = msgspec.json.Decoder(StreamedText)
        with self._stream(
            "POST",
            "/inference/generate",
            600.0,
            content=msgspec.json.encode(request),
            headers={"content-type": "application/json"},
        ) as response:
            for line in response.iter_lines():
                if line:
                    yield decoder.decode(line)

    def dry_run(self, values: dict[str, Any], said: Callable[[str], None] = lambda stage: None) -> Estimate:
        """Take a few real steps of the run that ``launch`` would start, and work out the rest.

        It takes as long as loading and eight steps do. ``said`` is told the stage again and again;
        what it raises ends the dry run.
        """
        with self._stream(
            "POST",
            "/dry-runs",
            LONG,
            content=msgspec.json.encode(values),
            headers={"content-type": "application/json"},
        ) as response:
            for line in response.iter_lines():
                record: dict[str, Any] = msgspec.json.decode(line)
                if "estimate" in record:
                    return msgspec.convert(record["estimate"], Estimate)
                if "error" in record:
                    raise RlftError(**record["error"])
                said(f"{record['stage']} {record.get('detail', '')}".strip())
        raise UnavailableError("the dry run broke off", remedy="See server.log in the workspace")

    def estimate(self, run_id: str) -> Outcome | None:
        """Estimate versus actual of a run; None when it was launched without a dry run."""
        return self._get(f"/runs/{segment(run_id)}/estimate", Outcome | None)  # type: ignore[arg-type]

    def inference_status(self) -> dict[str, Any]:
        """What the inference worker holds: running, pid, base, adapters, memory_mb."""
        return self._get("/inference", dict[str, Any])
