"""What a win rate would be if both answers were equally long, as in AlpacaEval 2.

Dubois et al., "Length-Controlled AlpacaEval" (2024), fit for each model m and baseline b

    logit P(m preferred on x) = (θm − θb) + φ · tanh((len m(x) − len b(x)) / sd) + (ψm − ψb) · γx

and report the mean of that probability with the length term at zero. sd is the standard
deviation of the differences in length, in characters. The last term is a difficulty of each
instruction, which they estimate from hundreds of models; a workspace has no such estimate, so
it is left out here. Without it the length-controlled win rate is 100 / (1 + exp(−θ)).

Two more differences: φ has a normal prior with standard deviation 2.5, where they use an L1
penalty chosen by cross-validation and data of prompted baselines; and the interval is given
(θ ± 1.96 robust standard errors, White 1980, put through the same curve).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from rlft_tui.evaluations.ratings_table import Played
from rlft_tui.labels.intervals import Z95
from rlft_tui.record import Record

ENOUGH = 20
"""Fewer verdicts than this give no length-controlled win rate."""
_PRECISION = 1 / 2.5**2
_STEPS = 100
_SMALL = 1e-10


class LengthControlled(Record, frozen=True):
    """Win rate in percent at equal length, and how much length counts."""

    win_rate: float
    ci95: tuple[float, float]
    effect: float
    """φ: by how much the log odds rise when an answer is much the longer one, against equal length."""


_Point = tuple[float, float, int]
"""Difference in length after the curve, score (1, ½ or 0), and how many verdicts."""


def length_controlled(found: Iterable[Played], model: str, *, against: str = "") -> LengthControlled | None:
    """For one model against all others, or against one; None with fewer than 20 verdicts or
    when it won or lost everything.
    """
    seen: list[tuple[float, float, float, int]] = []
    for one in found:
        if one.model_a == model and against in ("", one.model_b):
            score = {"a": 1.0, "b": 0.0, "tie": 0.5}[one.choice]
            seen.append((one.longer, one.squares, score, one.n))
        elif one.model_b == model and against in ("", one.model_a):
            score = {"a": 0.0, "b": 1.0, "tie": 0.5}[one.choice]
            seen.append((-one.longer, one.squares, score, one.n))
    total = sum(n for *_, n in seen)
    won = sum(score * n for _, _, score, n in seen)
    if total < ENOUGH or not 0 < won < total:
        return None
    mean = sum(longer * n for longer, _, _, n in seen) / total
    variance = (sum(squares for _, squares, _, _ in seen) - total * mean * mean) / (total - 1)
    deviation = math.sqrt(max(0.0, variance))
    points = [
        (math.tanh(longer / deviation) if deviation > 0 else 0.0, score, n) for longer, _, score, n in seen
    ]
    return _fit(points, won / total)


def _fit(points: list[_Point], start: float) -> LengthControlled | None:
    """Newton's method for the intercept θ and the slope φ."""
    theta, phi = math.log(start / (1 - start)), 0.0
    for _ in range(_STEPS):
        slope0, slope1, curve00, curve01, curve11 = _derivatives(points, theta, phi)
        determinant = curve00 * curve11 - curve01 * curve01
        if determinant < _SMALL:
            return None
        step0 = (curve11 * slope0 - curve01 * slope1) / determinant
        step1 = (curve00 * slope1 - curve01 * slope0) / determinant
        longest = max(abs(step0), abs(step1), 1.0)
        theta, phi = theta + step0 / longest, phi + step1 / longest
        if abs(step0) + abs(step1) < _SMALL:
            break
    half = Z95 * _standard_error(points, theta, phi)
    return LengthControlled(
        100 * _logistic(theta), (100 * _logistic(theta - half), 100 * _logistic(theta + half)), phi
    )


def _derivatives(points: list[_Point], theta: float, phi: float) -> tuple[float, float, float, float, float]:
    """Gradient of the log posterior, and minus its second derivatives."""
    slope0, slope1, curve00, curve01, curve11 = 0.0, -_PRECISION * phi, 0.0, 0.0, _PRECISION
    for x, score, n in points:
        p = _logistic(theta + phi * x)
        slope0 += n * (score - p)
        slope1 += n * (score - p) * x
        curve00 += n * p * (1 - p)
        curve01 += n * p * (1 - p) * x
        curve11 += n * p * (1 - p) * x * x
    return slope0, slope1, curve00, curve01, curve11


def _standard_error(points: list[_Point], theta: float, phi: float) -> float:
    """Of θ, robust: the curvature on either side of the scores' own spread."""
    _, _, curve00, curve01, curve11 = _derivatives(points, theta, phi)
    determinant = curve00 * curve11 - curve01 * curve01
    row = (curve11 / determinant, -curve01 / determinant)
    spread = 0.0
    for x, score, n in points:
        leverage = row[0] + row[1] * x
        spread += n * (score - _logistic(theta + phi * x)) ** 2 * leverage * leverage
    return math.sqrt(spread)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
