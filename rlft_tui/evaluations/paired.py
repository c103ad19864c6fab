"""Two models on the same items: how much one differs from the other, and whether that could be chance.

Shares (items right or wrong) are compared by McNemar's exact test, the binomial test on the items that only
one of both got right. Everything else by a permutation test: under no difference, which of an item's
two values is whose is a coin's toss. Intervals of the difference are from a paired bootstrap.
Where several metrics are tested together, Holm's procedure (1979) keeps the chance of any false alarm
at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from rlft_tui.evaluations.evaluation import Evaluation, Item, MetricChange
from rlft_tui.evaluations.results import estimate_of, ratio_parts
from rlft_tui.evaluations.statistics import RESAMPLES
from rlft_tui.record import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Signs = npt.NDArray[np.int8] | npt.NDArray[np.int64]
    Sizes = npt.NDArray[np.float64]

LEVEL = 0.05
PERMUTATIONS = 10_000
Test = Literal["McNemar's exact test", "paired permutation test"]


class Difference(Record, frozen=True):
    """A metric's difference between two models over the items that both have."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    test: str = ""


def difference(metric: str, items: Sequence[Item], baseline: Sequence[Item], *, seed: int = 0) -> Difference:
    """Model minus baseline, over the shared items."""
    import numpy as np

    others = {item.item: item for item in baseline if item.scores.get(metric) is not None}
    mine = [item for item in items if item.scores.get(metric) is not None and item.item in others]
    theirs = [others[item.item] for item in mine]
    n = len(mine)
    if not n:
        return Difference(None, None, None, None, 0)
    if (parts := ratio_parts(metric, mine)) is not None:
        return _ratio_difference(metric, parts, mine, theirs, seed)
    left = np.array([float(item.scores[metric] or 0.0) for item in mine])
    right = np.array([float(item.scores[metric] or 0.0) for item in theirs])
    gaps = left - right
    low, high = _bootstrap(gaps, seed)
    if np.isin(left, (0.0, 1.0)).all() and np.isin(right, (0.0, 1.0)).all():
        p = mcnemar(int((gaps > 0).sum()), int((gaps < 0).sum()))
        test: Test = "McNemar's exact test"
    else:
        p, test = permutation(gaps.tolist(), seed=seed), "paired permutation test"
    return Difference(float(gaps.mean()), low, high, p, n, test)


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p of so many items that only one of two models got right, either way."""
    n = gained + lost
    if n == 0:
        return 1.0
    fewer = min(gained, lost)
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(fewer + 1)
    ]
    return min(1.0, 2.0 * math.fsum(math.exp(one) for one in logs))


def permutation(gaps: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided p of a mean of paired differences; exact for up to 13 of them that are not 0."""
    import numpy as np

    kept = np.array([gap for gap in gaps if gap != 0.0])
    if not len(kept):
        return 1.0
    return _permuted(len(kept), lambda signs: np.abs(signs @ kept), abs(kept.sum()), seed)


def _permuted(n: int, size_of: Callable[[Signs], Sizes], seen: float, seed: int) -> float:
    """How often a difference is at least as large as the one ``seen`` where a coin's toss says which of an
    item's two values is whose.

    ``size_of``: of each row of ``n`` signs the difference's size; -1: the item's values changed places.
    """
    import numpy as np

    least = seen * (1 - 1e-12)
    if n <= 13:
        signs = 1 - 2 * ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1)
        return float((size_of(signs) >= least).mean())
    generator = np.random.default_rng(seed)
    extreme, done = 0, 0
    block = max(1, 4_000_000 // n)
    while done < PERMUTATIONS:
        rows = min(block, PERMUTATIONS - done)
        signs = generator.integers(0, 2, (rows, n), dtype=np.int8) * 2 - 1
        extreme += int((size_of(signs) >= least).sum())
        done += rows
    # The order that was seen is one of those that could have been.
    return (extreme + 1) / (PERMUTATIONS + 1)


def holm(found: Sequence[float]) -> list[float]:
    """Adjusted p of each of several tests (Holm 1979), in the order given."""
    order = sorted(range(len(found)), key=lambda at: found[at])
    adjusted = [0.0] * len(found)
    most = 0.0
    for rank, at in enumerate(order):
        most = max(most, min(1.0, found[at] * (len(found) - rank)))
        adjusted[at] = most
    return adjusted


def changes(
    pairs: Sequence[tuple[Evaluation, Evaluation]],
    items: Sequence[tuple[Sequence[Item], Sequence[Item]]],
    *,
    seed: int = 0,
) -> list[MetricChange]:
    """Each metric of a model against the same of a baseline, corrected for how many there are."""
    found = []
    for (own, base), (mine, theirs) in zip(pairs, items, strict=True):
        gap = difference(own.metric, mine, theirs, seed=seed)
        unpaired = gap.n == 0 and own.value is not None and base.value is not None
        found.append(
            MetricChange(
                model=own.model,
                baseline=base.model,
                suite=own.suite,
                task=own.task,
                metric=own.metric,
                value=own.value,
                baseline_value=base.value,
                difference=(own.value or 0.0) - (base.value or 0.0) if unpaired else gap.value,
                low=gap.low,
                high=gap.high,
                n=gap.n,
                p=gap.p,
                p_holm=None,
                test=gap.test,
                better=own.better,
                unit=own.unit,
                run_id=own.run_id,
                baseline_run_id=base.run_id,
            )
        )
    tested = [at for at, one in enumerate(found) if one.p is not None]
    for at, p in zip(tested, holm([found[at].p or 0.0 for at in tested]), strict=True):
        found[at] = replace(found[at], p_holm=p, significant=p < LEVEL)
    return found


def _ratio_difference(
    metric: str, parts: tuple[str, str], mine: Sequence[Item], theirs: Sequence[Item], seed: int
) -> Difference:
    import numpy as np

    above, below = parts
    columns = np.array(
        [
            [
                float(one.parts[above]),
                float(one.parts[below]),
                float(two.parts[above]),
                float(two.parts[below]),
            ]
            for one, two in zip(mine, theirs, strict=True)
        ]
    )
    value = (estimate_of(metric, mine).value or 0.0) - (estimate_of(metric, theirs).value or 0.0)
    n = len(columns)
    if n < 2:
        return Difference(value, None, None, None, n)

    def gaps(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of rows of the four columns' sums."""
        left, right = (
            sums[:, 0] / np.maximum(sums[:, 1], 1e-12),
            sums[:, 2] / np.maximum(sums[:, 3], 1e-12),
        )
        if metric.endswith("bits_per_byte"):
            return left - right
        found: npt.NDArray[np.float64] = np.exp(np.minimum(left, 700)) - np.exp(np.minimum(right, 700))
        return found

    generator = np.random.default_rng(seed)
    drawn = np.array([columns[generator.integers(0, n, n)].sum(axis=0) for _ in range(RESAMPLES)])
    low, high = np.quantile(gaps(drawn), (0.025, 0.975)).tolist()
    own, other = columns[:, :2], columns[:, 2:]
    middle, half = (own + other).sum(axis=0) / 2, (own - other) / 2

    def size_of(signs: Signs) -> Sizes:
        moved = signs @ half
        return np.abs(gaps(np.hstack([middle + moved, middle - moved])))

    seen = float(size_of(np.ones((1, n), dtype=np.int8))[0])
    return Difference(value, low, high, _permuted(n, size_of, seen, seed), n, "paired permutation test")


def _bootstrap(gaps: npt.NDArray[np.float64], seed: int) -> tuple[float | None, float | None]:
    import numpy as np

    n = len(gaps)
    if n < 2:
        return None, None
    generator = np.random.default_rng(seed)
    drawn = np.empty(RESAMPLES)
    block = max(1, 2_000_000 // n)
    for start in range(0, RESAMPLES, block):
        places = generator.integers(0, n, (min(block, RESAMPLES - start), n))
        drawn[start : start + len(places)] = gaps[places].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return low, high
