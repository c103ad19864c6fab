"""What state a run is in, and the summary that lists and monitors show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import field

from rlft_tui.record import Record

Status = Literal[
    "queued", "starting", "running", "stopping", "paused", "finished", "stopped", "failed", "killed", "lost"
]
"""queued: waits for the device. paused: saved, off the device, and first in line once it is resumed.
stopped: ended on request with a checkpoint. killed: ended by a signal.
lost: keeper and job are both gone and left no exit record (power cut, container end)."""

ACTIVE: frozenset[Status] = frozenset({"queued", "starting", "running", "stopping"})
"""There will be news without anybody asking for it."""
RESUMABLE: frozenset[Status] = frozenset({"paused", "stopped", "failed", "killed", "lost"})
"""What can be gone on with."""
PAUSABLE: frozenset[Status] = frozenset({"queued", "starting", "running"})
KILLABLE: frozenset[Status] = frozenset({"starting", "running", "stopping"})


class Exit(Record, frozen=True):
    """How a job ended, as its keeper saw it."""

    code: int | None
    """Exit code; None when a signal ended it."""
    signal: str | None
    """Name of the signal, such as SIGKILL."""
    reason: str
    """One line a person can act on."""
    ended: float
    """Unix seconds."""
    asked: bool = False
    """The keeper had been asked to stop the job."""


class Alert(Record, frozen=True):
    """Something in the run that deserves a look."""

    step: int
    t: float
    name: str
    message: str
    advice: str = ""
    severity: str = "warning"
    """warning or critical."""
    action: str = "notify"
    """What the run did about it: notify, pause or stop."""


class RunSummary(Record, frozen=True):
    """One run, from its folder alone."""

    id: str
    method: str
    status: Status
    step: int
    steps: int
    """Total steps; 0 while unknown."""
    model: str
    dataset: str
    """Hash of the data set, or empty."""
    path: str
    created: float
    started: float | None = None
    ended: float | None = None
    exit: Exit | None = None
    stage: str = ""
    """What it is doing: loading, tokenising, training, saving …"""
    stage_progress: float | None = None
    """0..1 within the stage."""
    seconds_left: float | None = None
    metrics: dict[str, float | str] = field(default_factory=dict)
    """Last value of each key; NaN and infinities as the strings NaN, Infinity, -Infinity."""
    first: dict[str, float | str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    """Unit of a key where it has one, such as nats/sequence."""
    device: str = ""
    memory_mb: float | None = None
    """Peak resident memory of the job so far."""
    checkpoint: str = ""
    """Last verified checkpoint, or empty."""
    alerts: tuple[Alert, ...] = ()
    error: str = ""
    """Last line of the traceback, when it failed."""
    attempt: int = 1
    """1 at the launch, one more at each resume."""
    output_model: str = ""
    """Name under which the result was registered."""
    queue_place: int = 0
    """1 for the queued run that starts next; 0 for one that does not wait."""
    dataset_name: str = ""
    """Name of the data set, where the workspace still has it."""
    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    seen_alerts: tuple[str, ...] = ()
    """Alarms that somebody has acknowledged (see runs/remarks.py)."""
    snoozed: dict[str, float] = field(default_factory=dict)
    """Name of an alarm → unix seconds until which it makes no sound."""
    trouble: str = ""
    """What is wrong with its event log, in one line; empty for a log that is well."""


def never_began(run: RunSummary) -> bool:
    """Whether a run that has ended was taken out of the line before its job was started."""
    exit = run.exit
    return run.status == "stopped" and exit is not None and exit.code is None and exit.signal is None


def status_word(run: RunSummary) -> str:
    """The status as a person says it: ``cancelled`` for a run that was stopped before it began."""
    return "cancelled" if never_began(run) else run.status


def in_order(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """What goes on first, then the line as it will start, then what has ended; else as they came."""
    waiting = (run for run in runs if run.status == "queued")
    return [
        *(run for run in runs if run.status in ACTIVE and run.status != "queued"),
        *sorted(waiting, key=lambda run: run.queue_place),
        *(run for run in runs if run.status not in ACTIVE),
    ]


class Series(Record, frozen=True):
    """One metric over steps, down-sampled to fixed power-of-two bins of steps.

    A NaN or infinite value is counted in ``nonfinite`` at its bin, never drawn over.
    """

    key: str
    unit: str
    bin: int
    """Steps a bin covers; 1 means every value is there."""
    steps: list[int]
    """First step of each bin."""
    mean: list[float | None]
    """None where a bin has no finite value."""
    low: list[float | None]
    high: list[float | None]
    nonfinite: list[int]
    total: int
    """Values behind the bins."""


BEST, WORST = 1000, 1001
"""Index of the best and the worst of the answers that a step was learnt from; fixed prompts come below."""


class Sample(Record, frozen=True):
    """One generation logged during training."""

    run_id: str
    step: int
    index: int
    """Which fixed prompt it answers, or BEST or WORST."""
    prompt: str
    completion: str
    kl: float | None = None
    """log(policy/reference) summed over the completion's tokens, in nats a sequence."""
    reward: float | None = None
    tokens: int = 0
    rewards: dict[str, float] = field(default_factory=dict)
    """What the reward is made of, by the name of each part."""


class SampleHead(Record, frozen=True):
    """What a list says of a sample: all but its texts."""

    step: int
    index: int
    kl: float | None = None
    reward: float | None = None
    tokens: int = 0


class LogPage(Record, frozen=True):
    """A piece of output.log, escape sequences made harmless."""

    text: str
    start: int
    """Byte offset of the first character."""
    end: int
    size: int
