"""How far one labeller can be relied on: gold pairs, and hidden repeats with their sides swapped."""

from __future__ import annotations

from typing import Literal

from rlft_tui.record import Record


class GoldAnswer(Record, frozen=True):
    """Somebody said what the right verdict on a pair is; of several the latest stands."""

    id: str
    example_id: str
    labeler_id: str
    """Who said it; empty when it was stored by an rlft that did not ask."""
    choice: Literal["a", "b", "tie", ""]
    """Empty: from now on it is not known."""
    created_at: float = 0.0
    """Unix seconds; 0 lets the server fill it in."""


class GoldPair(Record, frozen=True):
    """A pair whose right answer is known; labellers see it like any other."""

    example_id: str
    choice: str
    prompt: str
    created_at: float


class Reliability(Record, frozen=True):
    """One labeller measured. Rates are shares of 1, None before there is anything to count."""

    labeler: str
    gold: int
    """Gold pairs judged."""
    gold_right: int
    repeats: int
    """Pairs judged twice, the second time with swapped sides."""
    same: int
    """Of these, judged the same both times: the ceiling for a model trained on this labeller."""
    left_twice: int
    """Judged for the left side both times, which says two different things."""
    right_twice: int
    gold_rate: float | None
    self_agreement: float | None
    left_bias: float | None
    """(left twice - right twice) / repeats: 0 for a labeller whom the side does not sway, 1 for one
    who always takes the left."""


class ArmReport(Record, frozen=True):
    """What one way of choosing pairs has given."""

    arm: str
    """The order that chose the pairs; random within an active order is its control."""
    verdicts: int
    ties: int
    median_seconds: float | None
    trained_on: int = 0
    """Verdicts of this arm given to the small preference model: as many as of the other arms."""
    accuracy: float | None = None
    """Of that model on random pairs it did not see."""
