"""Which comparisons teach most: Bayesian logistic regression and a greedy choice of batches.

Both active orders are this one model, P(a is better) = 1 / (1 + exp(-w·x)). For a reward
model x is the difference of two answers' features; for a ranking it is the difference of
two models, which makes it Bradley and Terry's (1952). The batch is chosen one by one by
expected information, each as if those before it were already judged: that is the greedy
maximum of the determinant (D-optimality), so what was chosen pushes its like away and no
separate term for diversity is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlft_tui.record import Record

Floats = NDArray[np.float64]
_NEWTON_STEPS = 8
_SETTLED = 1e-4
_LEAST = 1e-9


class Posterior(Record, frozen=True):
    """The weights after the verdicts so far, as a normal distribution (Laplace's approximation)."""

    mean: Floats
    """(d,)"""
    covariance: Floats
    """(d, d)"""


def fit(x: Floats, y: Floats, *, precision: float, weight: Floats | None = None) -> Posterior:
    """Posterior of the weights for a normal prior of that precision around zero.

    ``x`` (n, d), ``y`` (n,) in [0, 1]: 1 when a won, 0.5 for a tie; ``weight`` (n,) counts
    a row several times.
    """
    count = np.ones(len(y)) if weight is None else weight
    size = x.shape[1]
    mean = np.zeros(size)
    prior = precision * np.eye(size)
    hessian: Floats = prior
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(x @ mean)
        hessian = prior + (x * (count * p * (1 - p))[:, None]).T @ x
        step = np.linalg.solve(hessian, x.T @ (count * (y - p)) - precision * mean)
        mean = mean + step
        if np.abs(step).max(initial=0.0) < _SETTLED:
            break
    return Posterior(mean, np.asarray(np.linalg.inv(hessian), dtype=np.float64))


def choose_batch(
    posterior: Posterior,
    x: Floats,
    count: int,
    *,
    room: NDArray[np.int64] | None = None,
    open_only: bool = False,
) -> list[int]:
    """Rows of ``x`` (n, d) to be judged next, the best first.

    ``room`` (n,) is how often a row may be chosen; once by default. With ``open_only`` the
    information is weighed by how open it still is which side is better, exp(-z²/2) with z
    the expected margin in its standard deviations: what is known to be far apart need not
    be measured more finely to be ranked.
    """
    left = np.ones(len(x), dtype=np.int64) if room is None else room.copy()
    margin = x @ posterior.mean
    p = sigmoid(margin)
    slope = p * (1 - p)
    variance = np.einsum("ij,jk,ik->i", x, posterior.covariance, x, optimize=True)
    # Columns are what each choice has explained so far, as in a pivoted Cholesky factorisation.
    explained = np.zeros((len(x), min(count, int(left.sum()))))
    chosen: list[int] = []
    for number in range(explained.shape[1]):
        gain = np.log1p(slope * variance)
        if open_only:
            gain = gain * np.exp(-0.5 * margin**2 / np.maximum(variance, _LEAST))
        best = int(np.argmax(np.where(left > 0, gain, -1.0)))
        chosen.append(best)
        left[best] -= 1
        row = x @ (posterior.covariance @ x[best]) - explained[:, :number] @ explained[best, :number]
        column = row / np.sqrt(variance[best] + 1.0 / max(slope[best], _LEAST))
        explained[:, number] = column
        variance = np.maximum(variance - column**2, 0.0)
    return chosen


def sigmoid(z: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))
