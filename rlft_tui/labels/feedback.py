"""A score for one answer: a number from 0 to 1, whatever way it was given."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

from rlft_tui.errors import RlftError
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.record import Record

FeedbackKind = Literal["score", "thumb", "likert"]
FEEDBACK_KINDS: tuple[FeedbackKind, ...] = ("score", "thumb", "likert")
LIKERT_STEPS = 5
RECENT = 20
"""Scores looked at for whether they vary."""
_FEW = 8
_HARDLY = 0.05
"""A standard deviation below this teaches a reward model next to nothing."""

GUIDE: tuple[tuple[float, float, str], ...] = (
    (0.9, 1.0, "excellent"),
    (0.7, 0.9, "good"),
    (0.5, 0.7, "mediocre"),
    (0.3, 0.5, "poor"),
    (0.0, 0.3, "very poor"),
)
"""What a score means: from, to (the lower end counts), in a word."""


class Feedback(Record, frozen=True):
    """One score. Never changed once stored: undoing it appends a ``Revocation``."""

    id: str
    prompt: str
    response: str
    score: float
    """0 (very poor) to 1 (excellent)."""
    kind: FeedbackKind
    """How it was given: a score, a thumb (0 or 1) or one of five Likert steps."""
    labeler_id: str
    example_id: str = ""
    """The pair whose answer it is, if it is one's."""
    model: str = ""
    run_id: str = ""
    notes: str = ""
    created_at: float = 0.0
    """Unix seconds."""
    agent: str = ""
    """The policy that it is for (models/AGENT); empty where it is for none in particular."""


class FeedbackEntry(Record, frozen=True):
    """One earlier score of a labeller."""

    feedback: Feedback
    revoked: bool


class FeedbackProgress(Record, frozen=True):
    """Where one labeller stands, and whether the scores can teach anything."""

    scored: int
    remaining: int
    """Stored answers this labeller has not scored."""
    mean: float | None = None
    std: float | None = None
    """Population standard deviation over all the labeller's scores."""
    warning: str = ""


class ScoreItem(Record, frozen=True):
    """An answer to be scored: one side of a pair, shown alone and without its model's name."""

    pair: ResponsePair
    side: Literal["a", "b"]

    @property
    def key(self) -> str:
        """By this a client says which items it holds already."""
        return f"{self.pair.id}#{self.side}"

    @property
    def response(self) -> str:
        return self.pair.response_a if self.side == "a" else self.pair.response_b

    @property
    def model(self) -> str:
        return self.pair.model_a if self.side == "a" else self.pair.model_b


class ScorePage(Record, frozen=True):
    """The next answers of a labeller and where they stand."""

    items: tuple[ScoreItem, ...]
    progress: FeedbackProgress


def check_feedback(one: Feedback) -> None:
    """RlftError for a score that its kind cannot have, or without prompt, answer or labeller."""
    if not one.id or not one.labeler_id:
        raise RlftError("feedback needs an id and a labeler_id")
    if not one.prompt.strip() or not one.response.strip():
        raise RlftError("feedback needs a prompt and a response")
    if not 0.0 <= one.score <= 1.0:  # NaN too
        raise RlftError(f"a score is 0 to 1, not {one.score}")
    if one.kind == "thumb" and one.score not in (0.0, 1.0):
        raise RlftError(f"a thumb is 0 or 1, not {one.score}")
    if one.kind == "likert" and (one.score * (LIKERT_STEPS - 1)) % 1:
        raise RlftError(f"a Likert step is 0, 0.25, 0.5, 0.75 or 1, not {one.score}")


def guide_word(score: float) -> str:
    """What the guide calls a score."""
    return next(word for low, _, word in GUIDE if score >= low)


def variation_warning(recent: Sequence[float]) -> str:
    """What to tell a labeller whose last scores hardly differ; nothing when they vary or are few."""
    if len(recent) < _FEW:
        return ""
    spread = statistics.pstdev(recent)
    if spread >= _HARDLY:
        return ""
    return (
        f"the last {len(recent)} scores hardly vary ({statistics.fmean(recent):.2f} ± {spread:.2f}): "
        "equal scores teach nothing"
    )
