"""What is told of a study: the shapes on the wire."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from rlft_tui.record import Record

StudyStatus = Literal["running", "stopped", "finished", "failed"]
TrialState = Literal["queued", "running", "complete", "pruned", "failed"]


class StudyTrial(Record, frozen=True):
    """One trial and its run."""

    number: int
    state: TrialState
    params: dict[str, Any]
    run_id: str
    value: float | None = None
    """Of a complete trial; the last one reported of others."""
    step: int = 0
    """Last step at which a value was reported."""
    reason: str = ""
    """Why it failed or was ended early."""
    started: float = 0.0
    ended: float | None = None


class Study(Record, frozen=True):
    """A search and where it stands."""

    name: str
    status: StudyStatus
    method: str
    metric: str
    direction: str
    trials: int
    """Wanted in all."""
    complete: int
    pruned: int
    failed: int
    running: int
    """Trials under way; those whose run waits in the line among them."""
    created: float
    best: StudyTrial | None = None
    error: str = ""
    """Why it cannot go on."""


class StudyDetail(Record, frozen=True):
    """A study with its trials, the newest last, and what its settings matter."""

    study: Study
    trials: tuple[StudyTrial, ...] = ()
    importance: dict[str, float] = field(default_factory=dict)
    """Setting → share of the difference between good and bad trials that it explains; most first.
    Empty while there are too few trials to tell."""
