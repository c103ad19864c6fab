"""The clipped losses at points worked by hand, and where their gradient is nothing."""

from __future__ import annotations

import math

import pytest
import torch

from rlft_tui.jobs.ppo.losses import LOG_RATIO_LIMIT, policy_loss, value_loss


def at(ratio: float, advantage: float, dual_clip: float = 0.0) -> tuple[float, float, bool]:
    """Loss, its slope in the log-probability, whether it was clipped; clip 0.2."""
    new = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros(1, dtype=torch.float64)
    found = policy_loss(new, zero, zero + advantage, clip=0.2, dual_clip=dual_clip)
    (slope,) = torch.autograd.grad(found.loss.sum(), new)
    return float(found.loss.detach()), float(slope), bool(found.clipped)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope", "clipped"),
    [
        (1.0, 2.0, -2.0, -2.0, False),
        (1.1, 2.0, -2.2, -2.2, False),
        (1.5, 2.0, -2.4, 0.0, True),
        (0.5, 2.0, -1.0, -1.0, False),
        (0.5, -2.0, 1.6, 0.0, True),
        (1.5, -2.0, 3.0, 3.0, False),
    ],
)
def test_the_clip_binds_only_where_the_policy_has_gone_the_right_way(
    ratio: float, advantage: float, loss: float, slope: float, clipped: bool
) -> None:
    assert at(ratio, advantage) == (pytest.approx(loss), pytest.approx(slope), clipped)


def test_the_dual_clip_bounds_what_a_bad_answer_that_became_likely_can_do() -> None:
    assert at(10.0, -2.0) == (pytest.approx(20.0), pytest.approx(20.0), False)
    assert at(10.0, -2.0, dual_clip=3.0) == (pytest.approx(6.0), 0.0, True)
    assert at(2.0, -2.0, dual_clip=3.0) == (pytest.approx(4.0), pytest.approx(4.0), False)
    assert at(10.0, 2.0, dual_clip=3.0)[0] == pytest.approx(-2.4)


def test_on_the_old_policy_ratio_one_nothing_clipped_no_divergence() -> None:
    logprobs = torch.randn(50)
    found = policy_loss(logprobs, logprobs.clone(), torch.randn(50), clip=0.2)
    assert found.ratio.tolist() == [1.0] * 50
    assert not found.clipped.any()
    assert found.approx_kl.tolist() == [0.0] * 50


def test_the_divergence_from_the_old_policy_is_k3() -> None:
    found = policy_loss(torch.tensor([-1.0]), torch.tensor([-1.5]), torch.ones(1), clip=0.2)
    assert float(found.approx_kl) == pytest.approx(math.exp(0.5) - 1 - 0.5)


def test_a_ratio_that_would_overflow_stays_finite() -> None:
    found = policy_loss(torch.tensor([500.0, -500.0]), torch.zeros(2), -torch.ones(2), clip=0.2)
    assert found.loss.isfinite().all()
    assert float(found.ratio[0]) == pytest.approx(math.exp(LOG_RATIO_LIMIT))


@pytest.mark.parametrize(
    ("value", "old", "target", "loss", "slope"),
    [
        (0.1, 0.0, 1.0, 0.405, -0.9),
        (0.5, 0.0, 1.0, 0.32, 0.0),
        (-0.5, 0.0, 1.0, 1.125, -1.5),
        (0.5, 0.0, 0.1, 0.08, 0.4),
    ],
)
def test_a_value_gains_nothing_by_moving_further_than_the_clip(
    value: float, old: float, target: float, loss: float, slope: float
) -> None:
    new = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    found = value_loss(new, torch.tensor([old]).double(), torch.tensor([target]).double(), clip=0.2)
    (gradient,) = torch.autograd.grad(found.loss.sum(), new)
    assert (float(found.loss.detach()), float(gradient)) == (pytest.approx(loss), pytest.approx(slope))
    assert bool(found.clipped) == (slope == 0.0)


def test_without_a_clip_the_value_loss_is_half_the_squared_error() -> None:
    found = value_loss(torch.tensor([3.0]), torch.tensor([0.0]), torch.tensor([1.0]), clip=0.0)
    assert float(found.loss) == 2.0
    assert not found.clipped.any()
