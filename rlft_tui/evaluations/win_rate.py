"""Win rates from verdicts, by the convention of AlpacaEval (Li et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import duckdb
from msgspec.structs import replace

from rlft_tui.errors import NotFoundError
from rlft_tui.evaluations.bradley_terry import import_packages, strengths
from rlft_tui.evaluations.length_control import length_controlled
from rlft_tui.evaluations.ratings_table import HUMAN, HeadToHead, played, records_of
from rlft_tui.labels.intervals import wilson
from rlft_tui.models.model import Rating
from rlft_tui.models.name_hint import name_hint


def ratings(
    connection: duckdb.DuckDBPyConnection, *, against: str = "", by: str = HUMAN
) -> tuple[Rating, ...]:
    """A rating for each model with a verdict, the best first; ``against`` keeps one opponent.

    ``by``: whose verdicts, as in ``played``. Bradley-Terry ratings use every one of them, whoever the
    opponent; ``against`` is their zero.
    Raises NotFoundError with the nearest name when ``against`` was never compared.
    """
    import_packages()
    found = played(connection, by)
    table = records_of(found)
    rated = rate(table, against=against)
    strength = strengths(table, against=against)
    complete = []
    for one in rated:
        bt = strength[one.model]
        controlled = length_controlled(found, one.model, against=against)
        complete.append(
            replace(
                one,
                bt=bt.rating,
                bt_ci95=bt.ci95,
                lc_win_rate=controlled.win_rate if controlled else None,
                lc_ci95=controlled.ci95 if controlled else None,
            )
        )
    return tuple(complete)


def rate(found: Iterable[HeadToHead], *, against: str = "") -> tuple[Rating, ...]:
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
    low, high = wilson(mean, n)
    return Rating(model, wins, losses, ties, n, 100 * mean, 100 * stderr, (100 * low, 100 * high))
