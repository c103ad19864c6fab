"""A verdict on a pair, and what may follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["a", "b"]
Choice = Literal["a", "b", "tie"]
MarkKind = Literal["skip", "flag"]


@dataclass(frozen=True, slots=True)
class Preference:
    """One verdict. Never changed once stored: undoing it appends a ``Revocation``."""

    id: str
    example_id: str
    labeler_id: str
    choice: Choice
    """a or b as stored, not as shown."""
    shown_first: Side = "a"
    """Which stored side was on the left."""
    confidence: int | None = None
    """1 (a guess) to 5 (certain)."""
    reasoning: str = ""
    time_spent_ms: int = 0
    source: str = "human"
    """human, scripted (a stated rule) or import."""
    created_at: float = 0.0
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A pair set aside without a verdict: skipped, or flagged as broken."""

    id: str
    example_id: str
    labeler_id: str
    kind: MarkKind
    note: str = ""
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Revocation:
    """Takes back the preference or mark it names; the row itself stays."""

    id: str
    target_id: str
    labeler_id: str
    created_at: float = 0.0


LabelOperation = Preference | Mark | Revocation


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One earlier operation of a labeller, newest first in lists."""

    operation: Preference | Mark
    prompt: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one labeller stands in the queue."""

    labelled: int
    skipped: int
    flagged: int
    remaining: int
    """Pairs this labeller has neither judged nor set aside."""
    per_hour: float | None
    """Verdicts an hour over the recent ones, idle gaps left out; None before there are five."""
    seconds_left: float | None
