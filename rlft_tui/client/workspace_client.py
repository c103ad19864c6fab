"""Every call the server answers, typed. Screens and commands use nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.client.evaluating import Evaluating
from rlft_tui.client.http_client import lines
from rlft_tui.client.judging import Judging
from rlft_tui.client.labelling import Labelling
from rlft_tui.client.registry import ModelRegistry
from rlft_tui.client.rounds import Rounds
from rlft_tui.client.run_watching import RunWatching
from rlft_tui.client.transport import LONG, listens, segment
from rlft_tui.client.tuning import Tuning
from rlft_tui.datasets.dataset import Dataset, DatasetCheck, DatasetImport, DatasetSpec
from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.models.exports import Export
from rlft_tui.models.model import Model, Rating
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.runs.estimate import Estimate, Outcome
from rlft_tui.runs.machine import Machine
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server.answers import (
    GenerateRequest,
    Health,
    Home,
    Page,
    ProviderModel,
    RemoteState,
    StreamedText,
    Totals,
)


class WorkspaceClient(Labelling, RunWatching, Rounds, ModelRegistry, Evaluating, Judging, Tuning):
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

    def serve_remote(self, host: str, port: int, *, openai: bool = False) -> RemoteState:
        """Serve other machines on this TCP port too (0: a free one), behind the workspace's token."""
        return self._post("/remote", RemoteState, {"host": host, "port": port, "openai": openai})

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

    def totals(self) -> Totals:
        return self._get("/totals", Totals)

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

    def ratings(self, *, against: str = "", by: str = "human") -> tuple[Rating, ...]:
        """``by``: whose verdicts: human, judge, all, or one labeller's name."""
        return self._get("/models/ratings", tuple[Rating, ...], against=against, by=by)

    def exports(self) -> tuple[Export, ...]:
        """Models written out for other programs, newest first."""
        return self._get("/exports", tuple[Export, ...])

    def export(self, model: str, form: str, **settings: Any) -> RunSummary:
        """Start the run that writes a model out and proves it.

        ``form``: safetensors, gguf, onnx or adapter. ``settings``: quant, output (an absolute path), replace,
        dtype, shard_gb, device, precision, now.
        """
        return self._post("/exports", RunSummary, {"model": model, "form": form, **settings})

    # runs
    def machine(self) -> Machine:
        """GPUs and packages of the machine that runs the jobs."""
        return self._get("/machine", Machine)

    def launch(self, values: dict[str, Any]) -> RunSummary:
        """Start a run from a spec as plain values (see runs/run_spec.py).

        ``model``, ``model_a`` and ``model_b`` may be registry names; ``dataset`` whatever
        ``dataset()`` takes. A generate run takes ``prompt_rows``: a list of GenerationPrompt
        values, written to the run folder. It waits in line while the device is taken; ``now`` = true
        starts it beside what is there; ``after`` = a run's id makes it wait until that one has finished.
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
        with self._stream("POST", "/inference/generate", 600.0, request) as response:
            for line in lines(response):
                if line:
                    yield decoder.decode(line)

    def dry_run(self, values: dict[str, Any], said: Callable[[str], None] = lambda stage: None) -> Estimate:
        """Take a few real steps of the run that ``launch`` would start, and work out the rest.

        It takes as long as loading and eight steps do. ``said`` is told the stage again and again;
        what it raises ends the dry run.
        """
        with self._stream("POST", "/dry-runs", LONG, values) as response:
            for line in lines(response):
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

    def warm_up(self, models: tuple[str, ...]) -> None:
        """Have the inference worker load these in the background; returns at once."""
        self._post("/inference/warm-up", dict[str, Any], models)

    def providers(self) -> tuple[ProviderModel, ...]:
        """The providers of rlft.toml: each may be asked as its name, or as NAME:MODEL."""
        return self._get("/providers", tuple[ProviderModel, ...])

    def provider_models(self, name: str) -> tuple[str, ...]:
        """Ask a provider what it offers."""
        return self._post(f"/providers/{segment(name)}/models", tuple[str, ...])

    def inference_status(self) -> dict[str, Any]:
        """What the inference worker holds: running, pid, base, adapters, memory_mb."""
        return self._get("/inference", dict[str, Any])
