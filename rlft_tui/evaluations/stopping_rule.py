"""When two models are told apart, and about how many verdicts that still takes.

A labeller looks at the score after every verdict and stops when it pleases, so an ordinary
95 % interval would call two equal models different far more often than in one case of twenty.
The interval here holds at all times at once: for scores between 0 and 1 with mean μ,

    |Σ scores − n μ| ≤ √((n/4 + ρ) · ln((n/4 + ρ) / (ρ α²)))  for every n, with chance 1 − α

(Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021, normal mixture; scores in [0, 1]
are sub-Gaussian with variance 1/4). ρ is chosen to be narrowest near 100 verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from rlft_tui.record import Record

if TYPE_CHECKING:  # the client knows these results and must not load the database
    from rlft_tui.evaluations.ratings_table import HeadToHead

State = Literal["not_enough", "open", "separated"]
FEWEST = 10
"""With fewer verdicts nothing is foretold."""
MOST = 100_000
"""More than this is as good as never."""
_ALPHA = 0.05
_RHO = 3.15
_POWER_QUANTILE = 0.8416212335729143
"""Standard normal quantile at 80 %: with so many more verdicts, four of five such models are apart."""
_SHRINK = 4
"""Verdicts of an even score that the estimate is mixed with (Agresti and Coull 1998)."""


class Separation(Record, frozen=True):
    """How far two models are told apart by the verdicts so far."""

    model: str
    """The one that leads."""
    opponent: str
    n: int
    win_rate: float
    """Of ``model``, in percent; a tie counts half."""
    ci95: tuple[float, float]
    """Valid however often one looks; so wider than that of a rating."""
    state: State
    more: int | None
    """About how many verdicts until they are apart; None when they are, when it cannot be told
    yet, or when it would take more than 100,000."""


def separations(found: Iterable[HeadToHead]) -> tuple[Separation, ...]:
    """One for each two models that met, those with the most verdicts first."""
    once = [separation(record) for record in found if record.model < record.opponent]
    return tuple(sorted(once, key=lambda one: (-one.n, one.model, one.opponent)))


def separation(record: HeadToHead) -> Separation:
    """Where two models stand, seen from the leading one."""
    n = record.wins + record.losses + record.ties
    score = record.wins + record.ties / 2
    model, opponent = record.model, record.opponent
    if score < n / 2:
        model, opponent, score = opponent, model, n - score
    if n == 0:
        return Separation(model, opponent, 0, 50.0, (0.0, 100.0), "not_enough", None)
    mean, half = score / n, radius(n)
    interval = (100 * max(0.0, mean - half), 100 * min(1.0, mean + half))
    if n < FEWEST:
        state: State = "not_enough"
    else:
        state = "separated" if mean - half > 0.5 else "open"
    more = _more(n, score) if state == "open" else None
    return Separation(model, opponent, n, 100 * mean, interval, state, more)


def radius(n: int) -> float:
    """Half the width of the interval of a mean after n verdicts, as a fraction of one."""
    spread = n / 4 + _RHO
    return math.sqrt(spread * math.log(spread / (_RHO * _ALPHA**2))) / n


def _more(n: int, score: float) -> int | None:
    """Verdicts still needed if the lead stays what it is, with 80 % power.

    The lead is shrunk towards none, as it is likelier to be overstated the fewer there are.
    """
    rate = (score + _SHRINK / 2) / (n + _SHRINK)
    lead = rate - 0.5
    deviation = math.sqrt(rate * (1 - rate))

    def enough(total: int) -> bool:
        return radius(total) + _POWER_QUANTILE * deviation / math.sqrt(total) <= lead

    low, high = n, n
    while not enough(high):
        low, high = high, 2 * high
        if low - n > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return None if high - n > MOST else max(1, high - n)
