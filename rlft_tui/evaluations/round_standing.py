"""Where a round stands: its win rate, whether that tells the two apart, and what was decided."""

from __future__ import annotations

from typing import Literal

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.evaluations.stopping_rule import State, separation
from rlft_tui.models.round import Round
from rlft_tui.record import Record

Stage = Literal["waiting", "generating", "judging", "told", "judged", "no pairs", "promoted", "rejected"]
"""waiting: its pairs are about to be asked for. generating: they are being made. judging: some wait for a
verdict. told: the two are told apart. judged: every pair has its verdict and they are not. no pairs: none
were wanted, or none could be made."""


class Score(Record, frozen=True):
    """Verdicts of people, or of judges, seen from the round's model."""

    wins: int
    losses: int
    ties: int
    n: int
    win_rate: float
    """In percent; a tie counts half."""
    ci95: tuple[float, float]
    """Valid however often one looks (evaluations/stopping_rule.py)."""
    state: State
    more: int | None
    """About how many verdicts until they are told apart; None when they are, or it cannot be told."""

    @property
    def is_ahead(self) -> bool:
        return self.win_rate > 50


class RoundStanding(Record, frozen=True):
    """A round with everything that a list of rounds shows."""

    round: Round
    stage: Stage
    pairs: int
    judged: int
    """Pairs with a verdict of a person."""
    people: Score
    judges: Score | None
    """None without a judge's verdict."""
    pairs_runs: tuple[str, ...] = ()
    """The generate runs that made its pairs, or make them."""
    method: str = ""
    dataset_name: str = ""
    dataset_rows: int = 0
    decided_at: float = 0.0
    decided_by: str = ""
    decision_note: str = ""
    is_current: bool = False
    """Whether its model is the policy's current version."""

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to decide about it."""
        return self.stage not in ("promoted", "rejected")

    @property
    def left(self) -> int:
        """Pairs that no person has judged."""
        return max(self.pairs - self.judged, 0)


class RoundVerdict(Record, frozen=True):
    """What somebody decided about a round."""

    id: str
    """Made by the client, so that a repeated request decides once."""
    decision: str
    """promoted or rejected."""
    labeler: str
    policy: str = ""
    """Empty for the round's own."""
    note: str = ""


class NextRound(Record, frozen=True):
    """With what the next training run begins."""

    round_id: str
    model: str
    """The policy's current version, else what the last run began with."""
    policy: str
    dataset: Dataset
    is_new: bool
    """Whether the data set was built now; False when there are no labels that it did not hold before."""
    method: str
    clone: str
    """The run whose settings it takes over; empty when that is gone."""


def score(model: str, opponent: str, wins: int, losses: int, ties: int) -> Score:
    """The stopping rule's separation, seen from ``model`` whoever leads."""
    from rlft_tui.evaluations.ratings_table import HeadToHead

    told = separation(HeadToHead(model, opponent, wins, losses, ties))
    low, high = told.ci95
    rate = told.win_rate
    if told.model != model:
        low, high, rate = 100 - high, 100 - low, 100 - rate
    return Score(wins, losses, ties, told.n, rate, (low, high), told.state, told.more)


def stage_of(
    *, decision: str, trouble: str, wanted: bool, asked: bool, generating: bool, people: Score, left: int
) -> Stage:
    """``wanted``: pairs were to be made; ``asked``: a run was started, ``generating``: it is active."""
    if decision in ("promoted", "rejected"):
        return "promoted" if decision == "promoted" else "rejected"
    if people.state == "separated":
        return "told"
    if generating:
        return "generating"
    if left:
        return "judging"
    if people.n:
        return "judged"
    return "waiting" if wanted and not asked and not trouble else "no pairs"
