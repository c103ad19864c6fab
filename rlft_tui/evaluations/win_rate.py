"""Win rates from verdicts, by the convention of AlpacaEval (Li et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import duckdb

from rlft_tui.errors import NotFoundError
from rlft_tui.evaluations.ratings_table import Record, records
from rlft_tui.models.model import Rating
from rlft_tui.models.models_table import name_hint

Z95 = 1.959963984540054
"""Standard normal quantile at 97.5 %."""


def ratings(connection: duckdb.DuckDBPyConnection, *, against: str = "") -> tuple[Rating, ...]:
    """A rating for each model with a verdict, the best first; ``against`` keeps one opponent.

    Raises NotFoundError with the nearest name when ``against`` was never compared.
    """
    return rate(records(connection), against=against)


def rate(found: Iterable[Record], *, against: str = "") -> tuple[Rating, ...]:
    """Ratings of records: each verdict counts once for either model."""
    table = list(found)
    if against:
        opponents = sorted({record.opponent for record in table})
        if against not in opponents:
            remedy = name_hint(against, opponents) if opponents else "Compare two models first: rlft, key 6"
            raise NotFoundError(f"no verdict on a model called {against!r}", remedy=remedy)
        table = [record for record in table if record.opponent == against]
    sums: dict[str, list[int]] = {}
    for record in table:
        total = sums.setdefault(record.model, [0, 0, 0])
        for place, count in enumerate((record.wins, record.losses, record.ties)):
            total[place] += count
    rated = [
        rating(model, wins=wins, losses=losses, ties=ties) for model, (wins, losses, ties) in sums.items()
    ]
    return tuple(sorted(rated, key=lambda one: (-one.win_rate, one.model)))


def rating(model: str, *, wins: int, losses: int, ties: int) -> Rating:
    """Win rate in percent, a tie counting half; its standard error and 95 % interval in points.

    The standard error is the sample standard deviation of the scores 1, ½ and 0 over √n.
    The interval is Wilson's (1927) for the same rate: unlike rate ± 1.96 standard errors it
    stays between 0 and 100 and does not shrink to nothing when every verdict agrees.
    """
    n = wins + losses + ties
    if n == 0:
        return Rating(model, 0, 0, 0, 0, win_rate=0.0, stderr=0.0, ci95=(0.0, 100.0))
    mean = (wins + ties / 2) / n
    squares = wins * (1 - mean) ** 2 + ties * (0.5 - mean) ** 2 + losses * mean**2
    stderr = math.sqrt(squares / (n - 1) / n) if n > 1 else 0.0
    return Rating(model, wins, losses, ties, n, 100 * mean, 100 * stderr, _wilson(mean, n))


def _wilson(mean: float, n: int) -> tuple[float, float]:
    spread = Z95 * Z95 / n
    centre = (mean + spread / 2) / (1 + spread)
    half = math.sqrt(spread * mean * (1 - mean) + spread * spread / 4) / (1 + spread)
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)
