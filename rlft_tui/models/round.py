"""A round: a model and the one it is to replace, judged blind, and what was decided."""

from __future__ import annotations

from typing import Literal

from rlft_tui.record import Record

RoundKind = Literal["round", "ab"]
"""round: a training run's result against what it would replace. ab: any two models, asked for by hand."""
Verb = Literal["promoted", "rejected"]


class Round(Record, frozen=True):
    """One row of ``rounds``. Its pairs are made by generate runs of its own."""

    id: str
    """The training run's, or one of its own for an A/B test."""
    kind: RoundKind
    model: str
    """Who may be promoted."""
    opponent: str
    """The version it would replace, else what it was trained from."""
    policy: str = ""
    """Of which ``model`` becomes the current version; empty for an A/B test."""
    run_id: str = ""
    dataset: str = ""
    """Hash of the data that ``model`` was trained on."""
    pairs: int = 0
    """Prompts that both were to answer at once; 0 when nobody wanted that."""
    trouble: str = ""
    """Why there are no pairs."""
    created_at: float = 0.0


class Decision(Record, frozen=True):
    """One row of ``decisions``; of a round the last one counts, and so it does of a policy."""

    id: str
    round_id: str
    decision: Verb
    policy: str
    model: str
    labeler_id: str
    note: str = ""
    created_at: float = 0.0


class CurrentVersion(Record, frozen=True):
    """The model that a policy is now."""

    policy: str
    model: str
    promoted_at: float
