"""The folder of one run: spec, data, events, output, checkpoints, result, exit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import asdict

from rlft_tui.errors import UnavailableError
from rlft_tui.record import Record
from rlft_tui.runs.queue_place import QueuePlace
from rlft_tui.runs.run_status import Exit

T = TypeVar("T")
CALLING = ".calling"
CURVES_NAME = "curves.cache"
"""What a server has read of the event log (see server/curve_cache.py)."""


class Attempt(Record, frozen=True):
    """Who keeps and who does the work: enough to find both again after a restart."""

    number: int
    keeper_pid: int
    keeper_started: float
    """Seconds from boot to start (see run_process): with the pid, it names one process of this boot."""
    job_pid: int = 0
    job_started: float = 0.0
    boot: str = ""
    """Which boot of the machine; empty where it is not known."""


class RunFolder(Record, frozen=True):
    """Paths below ``runs/<id>`` and the small files that keeper and server exchange."""

    root: Path

    @property
    def id(self) -> str:
        return self.root.name

    @property
    def spec(self) -> Path:
        return self.root / "run.toml"

    @property
    def curves(self) -> Path:
        return self.root / CURVES_NAME

    @property
    def dataset(self) -> Path:
        """The run's own copy: ``train.jsonl``, ``heldout.jsonl``, ``dataset.json``."""
        return self.root / "dataset"

    @property
    def prompts(self) -> Path:
        return self.root / "prompts.jsonl"

    @property
    def pairs(self) -> Path:
        """Finished ResponsePairs of a generate run, one JSON object a line."""
        return self.root / "pairs.jsonl"

    @property
    def judgements(self) -> Path:
        """The calls of a judge run, one Judgement a line."""
        return self.root / "judgements.jsonl"

    @property
    def completions(self) -> Path:
        """What a completions run has written so far (samples/completion.py)."""
        return self.root / "completions.jsonl"

    @property
    def rewards(self) -> Path:
        """The run's own copy of the reward files it was launched with."""
        return self.root / "rewards"

    @property
    def reward_call(self) -> Path:
        """Names the reward file that is being called; it is left there by one that ends the process."""
        return self.rewards / CALLING

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def metrics_csv(self) -> Path:
        """One row a step of a training run, for scripts (jobs/metrics_csv.py)."""
        return self.root / "training_metrics.csv"

    @property
    def output(self) -> Path:
        return self.root / "output.log"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def model(self) -> Path:
        """The finished adapter or model."""
        return self.root / "model"

    @property
    def policy(self) -> Path:
        """The same merged into one model, where the spec names a policy and the result is an adapter."""
        return self.root / "policy"

    @property
    def exit(self) -> Path:
        return self.root / "exit.json"

    @property
    def attempt(self) -> Path:
        return self.root / "attempt.json"

    @property
    def stop_request(self) -> Path:
        """Present once a stop was asked for; its content is the time."""
        return self.root / "stop"

    @property
    def changes(self) -> Path:
        """Settings that are to be other than launched (runs/changes.py)."""
        return self.root / "changes.json"

    @property
    def queue(self) -> Path:
        """Its place in the line for the device."""
        return self.root / "queue.json"

    @property
    def exit_reserve(self) -> Path:
        """Blocks already on the disk, so that the exit record fits when the disk is full."""
        return self.root / "exit.reserve"

    @property
    def result_record(self) -> Path:
        """What the server registered from this run; present once that is done."""
        return self.root / "result.json"

    def read_exit(self) -> Exit | None:
        return _read(self.exit, Exit)

    def write_exit(self, exit: Exit) -> None:
        _write(self.exit, asdict(exit))

    def read_place(self) -> QueuePlace | None:
        """The last place it was given, though it may have started since."""
        return _read(self.queue, QueuePlace)

    def current_place(self) -> QueuePlace | None:
        """Its place in the line; None once it has started."""
        place = self.read_place()
        attempt = self.read_attempt()
        return place if place and place.attempts == (attempt.number if attempt else 0) else None

    def write_place(self, place: QueuePlace) -> None:
        """UnavailableError when the disk does not take it; the old place stands then."""
        try:
            _write(self.queue, asdict(place))
        except OSError as error:
            raise UnavailableError(
                f"the place in line cannot be written: {error.strerror}",
                where=str(self.queue),
                remedy="Make room",
            ) from None

    def read_attempt(self) -> Attempt | None:
        return _read(self.attempt, Attempt)

    def write_attempt(self, attempt: Attempt) -> None:
        _write(self.attempt, asdict(attempt))


def _read(path: Path, kind: type[T]) -> T | None:
    """None where there is no such file, or one that holds something else."""
    try:
        # Not msgspec's parser, which refuses half a surrogate pair: a reason may hold one.
        return msgspec.convert(json.loads(path.read_bytes()), kind)
    except (FileNotFoundError, ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _write(path: Path, record: dict[str, object]) -> None:
    """Replace the file whole: a reader sees the old one or the new one."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        stream.write(json.dumps(record).encode())
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
