"""What a judge is asked to do, and what is told of judges: the shapes on the wire."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from rlft_tui.evaluations.judge.judgement import Judgement, Tally
from rlft_tui.evaluations.judge.rubric import DEFAULT, Mode
from rlft_tui.labels.agreement import Kappa
from rlft_tui.labels.intervals import Share
from rlft_tui.record import Record

ANYBODY = "*"
"""In place of a labeller's name: whoever is no judge."""
NOTHING = Share(0, 0, None, 0.0, 1.0)


class JudgeRequest(Record, frozen=True):
    """A judge run before it is one: who judges what, by which rubric."""

    id: str
    """Run id; made by the client."""
    judge: str
    """A provider of rlft.toml (NAME or NAME:MODEL), or a model on this machine."""
    mode: Mode = "pair"
    name: str = ""
    """The labeller is ``judge:NAME``; empty for the model's own name."""
    rubric: str = DEFAULT
    """Name of a rubric, or its file."""
    model: str = ""
    """Only pairs with an answer of this model; for ratings: whose answers."""
    against: str = ""
    """Only pairs whose other answer is this model's."""
    run: str = ""
    """For ratings: an evaluation or a run of completions whose answers are rated, in place of the pairs'."""
    labelled_by: str = ""
    """Only pairs that this labeller has judged; * for anybody."""
    category: str = ""
    limit: int = 0
    """Items at most, chosen at random; 0 for all."""
    again: bool = False
    """Judge also what this judge has judged by this very rubric."""
    both_orders: bool = True
    combine: Literal["", "agree", "average"] = ""
    """Empty: average for a model on this machine, agree for others."""
    keep: bool = True
    """Whether the verdicts become labels."""
    concurrency: int = 4
    requests_per_minute: float = 0.0
    max_answer_tokens: int = 512
    temperature: float = 0.0
    max_cost: float = 0.0
    seed: int = 0
    """Of the choice of items."""
    now: bool | None = None
    """Start beside what is on the device; None: only where the judge needs no device of this machine."""


class RubricEntry(Record, frozen=True):
    """One line in the list of rubrics."""

    name: str
    title: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    """By mode."""
    path: str = ""
    fault: str = ""
    """Why it cannot be read."""


class JudgeRun(Record, frozen=True):
    """A judge's run and what has come of it so far."""

    id: str
    judge: str
    mode: Mode
    model: str
    """Who judges: NAME:MODEL of a provider, or a model's name."""
    rubric: str
    rubric_version: str
    status: str
    items: int
    calls: int
    """Calls that it takes in all."""
    tally: Tally
    created: float


class JudgementPage(Record, frozen=True):
    """A window of a run's calls, and how many there are in all."""

    total: int
    judgements: tuple[Judgement, ...] = ()


class RatingsMet(Record, frozen=True):
    """A judge's ratings beside a person's scores of the same answers."""

    n: int
    spearman: float | None = None
    """Rank correlation; None where either side does not vary."""
    mean_difference: float | None = None
    """Judge minus person, in steps of 1 to 5."""


NO_RATINGS = RatingsMet(0)


class Calibration(Record, frozen=True):
    """A judge measured against a person's verdicts on the same pairs, and against itself."""

    judge: str
    labeler: str
    """Empty for whoever is no judge."""
    met: Kappa
    decided: Share
    """Of the pairs that neither called a tie: judged alike."""
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    """The person's choice → the judge's choice → pairs."""
    first_shown: Share = NOTHING
    """Of the judge's decided calls: for the answer shown first."""
    orders_disagree: Share = NOTHING
    """Of the pairs judged in both orders: the verdict went with the order."""
    judge_longer: Share = NOTHING
    """Of the judge's decided verdicts on these pairs: for the longer answer."""
    labeler_longer: Share = NOTHING
    """The same of the person's."""
    self_agreement: Share = NOTHING
    """How often the person judged a hidden repeat alike: no judge can be expected to agree more."""
    unparsable: Share = NOTHING
    """Of the judge's answers: without a verdict."""
    ratings: RatingsMet = NO_RATINGS
    rubrics: tuple[str, ...] = ()
    """NAME VERSION of every rubric by which it has judged."""
