"""Bradley-Terry ratings (Bradley and Terry 1952) with bootstrap intervals.

The chance that i is preferred to j is 1 / (1 + 10^((rating j − rating i) / 400)): the scale
of chess ratings, on which 100 points are odds of 1.8. A tie is half a win for either.

Fitted by choix (iterative Luce spectral ranking, Maystre and Grossglauser 2015), by Newton's method
where that takes too many steps; two models have a closed form. numpy, scipy and choix are imported
when first wanted: only the server calls this.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlft_tui.evaluations.ratings_table import HeadToHead
from rlft_tui.record import Record

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Matrix = NDArray[numpy.float64]

POINTS = 400 / math.log(10)
"""Rating points of one unit of log odds."""
REPLICATES = 1000
MANY_MODELS = 40
"""With more models than this 300 draws have to do: a fit takes longer the more there are."""
_PRIOR = 0.5
_SEED = 1
_MOST_STEPS = 40
_MOST_NEWTON_STEPS = 1000


class Strength(Record, frozen=True):
    """A model's rating in points, with the 95 % bootstrap interval."""

    rating: float
    ci95: tuple[float, float]


def import_packages() -> None:
    """Begin to import what a fit needs, in a thread: half a second the first time, nothing afterwards.

    For a caller that reads the verdicts meanwhile. A fit waits for what is not there yet.
    """
    threading.Thread(target=_import_packages, name="import choix", daemon=True).start()


def _import_packages() -> None:
    import choix  # noqa: F401
    import scipy.sparse.csgraph  # noqa: F401


def strengths(found: Iterable[HeadToHead], *, against: str = "") -> dict[str, Strength]:
    """Ratings of all models in the records; zero is their mean, or the model ``against``.

    Models without any chain of comparisons between them cannot be compared: each such group
    has its own zero, and with ``against`` only its own group is rated. Where one side won
    everything the rating would be infinite; each compared two are then given half a win each.

    The interval is as wide as the middle 95 % of ratings that are refitted to verdicts drawn
    anew from the fitted chances, with ties as frequent as they were (a parametric bootstrap). It
    lies around the rating as the draws lie around their median: with few verdicts a model they
    all lean outwards. One verdict gives a wide interval.
    """
    table = {(one.model, one.opponent): one for one in found}
    rated: dict[str, Strength] = {}
    for group in _groups(table):
        if against and against not in group:
            continue
        zero = group.index(against) if against else None
        rated.update(zip(group, _rate_group(group, table, zero), strict=True))
    return rated


def _rate_group(
    group: list[str], table: Mapping[tuple[str, str], HeadToHead], zero: int | None
) -> list[Strength]:
    import numpy

    met = [(i, j) for i in range(len(group)) for j in range(i) if (group[i], group[j]) in table]
    first, second = (numpy.array(side) for side in zip(*met, strict=True))
    counts = numpy.array(
        [[one.wins, one.ties, one.losses] for i, j in met for one in (table[group[i], group[j]],)],
        dtype=numpy.float64,
    )
    size = len(group)
    point = _fit(_matrix(counts, first, second, size), None, 1e-9)
    tied = counts[:, 1].sum() / (counts.sum() + 1)
    expected = 1 / (1 + numpy.exp(point[second] - point[first]))
    won = numpy.clip(expected - tied / 2, 0.0, 1 - tied)
    chances = numpy.stack([won, numpy.full(len(met), tied), 1 - tied - won], axis=1)
    draws = numpy.random.default_rng(_SEED).multinomial(
        counts.sum(axis=1).astype(numpy.int64),
        chances,
        size=(REPLICATES if size <= MANY_MODELS else 300, len(met)),
    )
    again = numpy.array([_fit(_matrix(one, first, second, size), point, 1e-5) for one in draws])
    centred, spread = _centred(point[None, :], zero)[0], _centred(again, zero)
    low, middle, high = numpy.quantile(spread, (0.025, 0.5, 0.975), axis=0) * POINTS
    return [
        Strength(float(at), (float(at - below), float(at + above)))
        for at, below, above in zip(centred * POINTS, middle - low, high - middle, strict=True)
    ]


def _centred(ratings: Matrix, zero: int | None) -> Matrix:
    offset = ratings.mean(axis=1) if zero is None else ratings[:, zero]
    centred: Matrix = ratings - offset[:, None]
    return centred


def _matrix(counts: Any, first: Any, second: Any, size: int) -> Matrix:
    """wins[i, j]: how often i was preferred to j, a tie counting half."""
    import numpy

    wins = numpy.zeros((size, size))
    wins[first, second] = counts[:, 0] + counts[:, 1] / 2
    wins[second, first] = counts[:, 2] + counts[:, 1] / 2
    if not _has_maximum(wins):
        wins[first, second] += _PRIOR
        wins[second, first] += _PRIOR
    return wins


def _has_maximum(wins: Matrix) -> bool:
    """Whether the likelihood has a maximum: no models won everything against the rest (Ford 1957)."""
    if len(wins) == 2:
        return bool(wins[0, 1] > 0 and wins[1, 0] > 0)
    from scipy.sparse.csgraph import connected_components

    return bool(connected_components(wins > 0, directed=True, connection="strong")[0] == 1)


def _fit(wins: Matrix, start: Matrix | None, tolerance: float) -> Matrix:
    """Log strengths of greatest likelihood."""
    import numpy

    if len(wins) == 2:
        half = math.log(wins[0, 1] / wins[1, 0]) / 2
        return numpy.array([half, -half])
    import choix

    try:
        fitted: Matrix = choix.ilsr_pairwise_dense(
            wins, initial_params=start, max_iter=_MOST_STEPS, tol=tolerance
        )
    except RuntimeError:
        # Where models won all but a few of thousands of comparisons its steps get ever shorter.
        return _newton(wins, tolerance)
    return fitted


def _newton(wins: Matrix, tolerance: float) -> Matrix:
    """The same maximum by Newton's method, whose steps don't shrink with the chances."""
    import numpy

    met = wins + wins.T
    point = numpy.zeros(len(wins))
    for _ in range(_MOST_NEWTON_STEPS):
        chance = 1 / (1 + numpy.exp(point[None, :] - point[:, None]))
        slope = (wins - met * chance).sum(axis=1)
        weight = met * chance * (1 - chance)
        # Only differences count: adding a constant matrix fixes the mean and nothing else.
        curve = numpy.diag(weight.sum(axis=1)) - weight + weight.mean()
        step = numpy.clip(numpy.linalg.solve(curve, slope), -1.0, 1.0)
        point = point + step
        if numpy.abs(step).max() < tolerance:
            break
    fitted: Matrix = point - point.mean()
    return fitted


def _groups(table: Mapping[tuple[str, str], HeadToHead]) -> list[list[str]]:
    """Models that are linked by comparisons, each group by name."""
    links: dict[str, set[str]] = {}
    for model, opponent in table:
        links.setdefault(model, set()).add(opponent)
    groups: list[list[str]] = []
    left = set(links)
    while left:
        group, edge = set[str](), {min(left)}
        while edge:
            group |= edge
            edge = {opponent for model in edge for opponent in links[model]} - group
        left -= group
        groups.append(sorted(group))
    return groups
