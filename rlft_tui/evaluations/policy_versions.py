"""The versions of a policy as the registry shows them."""

from __future__ import annotations

from rlft_tui.evaluations.round_standing import Score
from rlft_tui.record import Record


class PolicyVersion(Record, frozen=True):
    """A model that is, was, or could become the current one of its policy."""

    policy: str
    model: str
    version: str
    """vN where it has a folder below models/POLICY, else empty."""
    run_id: str
    method: str
    dataset: str
    feedback: int
    """Rows of the data it was made from."""
    created_at: float
    is_current: bool
    decision: str = ""
    """promoted, rejected, or empty."""
    opponent: str = ""
    score: Score | None = None
    """People's verdicts against the opponent; None before the first."""
