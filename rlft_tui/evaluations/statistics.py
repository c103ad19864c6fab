"""Estimates with their 95 % intervals: what stands behind every figure of an evaluation.

Shares have Wilson's interval (1927). Means and ratios have the percentile bootstrap over items
(Efron 1979), seeded, so that the same items give the same interval. Above ``BOOTSTRAP_ITEMS`` items the
normal approximation is the same to the digits shown, and quick.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rlft_tui.labels.intervals import Z95, wilson
from rlft_tui.record import Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RESAMPLES = 2000
BOOTSTRAP_ITEMS = 5000
Values = Sequence[float]


class Estimate(Record, frozen=True):
    """A value with how sure it is; low and high bound the 95 % interval."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    stderr: float | None = None


NOTHING = Estimate(None, 0)


def share(scores: Values) -> Estimate:
    """The mean of scores between 0 and 1 that are mostly 0 or 1."""
    n = len(scores)
    if not n:
        return NOTHING
    value = sum(scores) / n
    low, high = wilson(value, n)
    return Estimate(value, n, low, high, _stderr(scores))


def mean(values: Values, *, seed: int = 0) -> Estimate:
    """The mean of any numbers; one number alone has no interval."""
    return ratio(values, [1.0] * len(values), seed=seed)


def ratio(
    tops: Values,
    bottoms: Values,
    *,
    transform: Callable[[float], float] | None = None,
    seed: int = 0,
) -> Estimate:
    """sum(tops) / sum(bottoms) over items, such as nats over tokens; ``transform`` is monotonic.

    Items are drawn anew, both numbers of one together.
    """
    import numpy as np

    n = len(tops)
    if not n:
        return NOTHING
    above, below = np.asarray(tops, float), np.asarray(bottoms, float)
    total = float(below.sum())
    if total == 0:
        return NOTHING
    change = transform or (lambda value: value)
    value = float(above.sum()) / total
    if n == 1 or not math.isfinite(value):
        return Estimate(change(value), n)
    if n > BOOTSTRAP_ITEMS:
        # The delta method for a ratio of sums.
        error = float(np.sqrt(((above - value * below) ** 2).sum() * n / (n - 1))) / total
        ends = (value - Z95 * error, value + Z95 * error)
    else:
        drawn = _resampled(above, below, seed)
        error = float(drawn.std(ddof=1))
        ends = tuple(np.quantile(drawn, (0.025, 0.975)).tolist())
    low, high = sorted((change(ends[0]), change(ends[1])))
    if transform is not None:
        # By the slope of the transform, which is that of exp for perplexity.
        error *= abs(change(value + 1e-6) - change(value - 1e-6)) / 2e-6
    return Estimate(change(value), n, low, high, error)


def jackknife(value: float, without: Values) -> Estimate:
    """A statistic of a whole set with an interval from its values ``without`` each item in turn.

    For what a bootstrap would bias, such as the share of distinct words: an item drawn twice repeats
    itself.
    """
    import numpy as np

    n = len(without)
    if n < 2:
        return Estimate(value, n)
    left = np.asarray(without, float)
    error = math.sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum()))
    return Estimate(value, n, value - Z95 * error, value + Z95 * error, error)


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Chance that one of k programs drawn from ``samples`` is among the ``correct`` ones, without bias.

    1 - C(samples - correct, k) / C(samples, k), as a product that does not overflow
    (Chen et al. 2021, "Evaluating Large Language Models Trained on Code").
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise ValueError(f"no pass@{k} of {correct} correct among {samples}")
    if samples - correct < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / left for left in range(samples - correct + 1, samples + 1))


def _resampled(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], seed: int
) -> npt.NDArray[np.float64]:
    """The ratio in each of ``RESAMPLES`` sets of items drawn with replacement."""
    import numpy as np

    generator = np.random.default_rng(seed)
    n = len(above)
    drawn = np.empty(RESAMPLES)
    block = max(1, 2_000_000 // n)
    for start in range(0, RESAMPLES, block):
        places = generator.integers(0, n, (min(block, RESAMPLES - start), n))
        sums = below[places].sum(axis=1)
        drawn[start : start + len(places)] = above[places].sum(axis=1) / np.where(sums == 0, np.nan, sums)
    return drawn[np.isfinite(drawn)]


def _stderr(values: Values) -> float | None:
    import numpy as np

    n = len(values)
    return float(np.std(np.asarray(values, float), ddof=1)) / math.sqrt(n) if n > 1 else None
