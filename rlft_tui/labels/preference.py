"""A verdict on a pair, and what may follow it."""

from __future__ import annotations

from typing import Literal

from rlft_tui.record import Record

Side = Literal["a", "b"]
Choice = Literal["a", "b", "tie"]
MarkKind = Literal["skip", "flag"]
Quality = Literal["", "both_good", "both_bad"]
STRENGTHS = {1: "negligibly", 2: "slightly", 3: "better", 4: "significantly"}
"""How much better the winner is, as in Llama 2's four steps."""


class Preference(Record, frozen=True):
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
    """human, scripted (a stated rule), judge (a model), import, or repeat: given on a pair that came back
    hidden with its sides swapped. A repeat measures the labeller and is never the current verdict."""
    created_at: float = 0.0
    """Unix seconds."""
    strength: int | None = None
    """How much better: 1 (negligibly) to 4 (significantly). None when not asked, and for a tie."""
    quality: Quality = ""
    """Of a tie: whether both answers are good, or both bad."""
    arm: str = ""
    """Why the queue had shown the pair (see queue_view.Arm); empty where no queue had."""


class Mark(Record, frozen=True):
    """A pair set aside without a verdict: skipped, or flagged as broken."""

    id: str
    example_id: str
    labeler_id: str
    kind: MarkKind
    note: str = ""
    created_at: float = 0.0


class BetterAnswer(Record, frozen=True):
    """An answer the labeller wrote because neither was as good; their latest on a pair stands.

    It leaves the pair where it is in the queue: it is no verdict.
    """

    id: str
    example_id: str
    labeler_id: str
    text: str
    created_at: float = 0.0


class Revocation(Record, frozen=True):
    """Takes back the verdict, mark or written answer it names; the row itself stays."""

    id: str
    target_id: str
    labeler_id: str
    created_at: float = 0.0


Recorded = Preference | Mark | BetterAnswer
"""What can be taken back."""
LabelOperation = Recorded | Revocation


class HistoryEntry(Record, frozen=True):
    """One earlier operation of a labeller, newest first in lists."""

    operation: Recorded
    prompt: str
    revoked: bool
    superseded: bool = False
    """A later one of the labeller on the same pair stands in its place."""


class ListedLabel(Record, frozen=True):
    """A current verdict as one row of a table."""

    verdict: Preference
    prompt: str
    """Its first characters; empty when the pair is not stored."""


class Progress(Record, frozen=True):
    """Where one labeller stands in the queue."""

    labelled: int
    skipped: int
    flagged: int
    remaining: int
    """Pairs this labeller has neither judged nor set aside, and the hidden repeats still to come:
    were those left out, a number that stands still would give them away."""
    per_hour: float | None
    """Verdicts an hour over the recent ones, idle gaps left out; None before there are five."""
    seconds_left: float | None
