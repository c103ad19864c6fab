"""The three estimators against exact divergences, and the controller against figures worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from rlft_tui.jobs.ppo.kl import KlController, kl_per_token

POLICY = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
REFERENCE = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)


def test_each_estimator_is_its_formula() -> None:
    policy, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -1.0])
    k1 = kl_per_token(policy, reference, "k1")
    k2 = kl_per_token(policy, reference, "k2")
    k3 = kl_per_token(policy, reference, "k3")
    torch.testing.assert_close(k1, torch.tensor([0.5, -1.0]))
    torch.testing.assert_close(k2, torch.tensor([0.125, 0.5]))
    torch.testing.assert_close(k3, torch.tensor([math.exp(-0.5) - 1 + 0.5, math.e - 1 - 1.0]))


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_k1_and_k3_have_the_divergence_as_their_mean(estimator: str) -> None:
    exact = float((POLICY * (POLICY / REFERENCE).log()).sum())
    tokens = kl_per_token(POLICY.log(), REFERENCE.log(), estimator)  # type: ignore[arg-type]
    assert float((POLICY * tokens).sum()) == pytest.approx(exact, abs=1e-12)


def test_k2_is_biased_but_near_and_neither_it_nor_k3_is_ever_negative() -> None:
    exact = float((POLICY * (POLICY / REFERENCE).log()).sum())
    k2 = kl_per_token(POLICY.log(), REFERENCE.log(), "k2")
    assert float((POLICY * k2).sum()) == pytest.approx(exact, rel=0.2)
    assert float((POLICY * k2).sum()) != pytest.approx(exact, rel=1e-3)
    for estimator in ("k2", "k3"):
        tokens = kl_per_token(-5 * torch.rand(1000), -5 * torch.rand(1000), estimator)  # type: ignore[arg-type]
        assert float(tokens.min()) >= 0
    assert float(kl_per_token(POLICY.log(), REFERENCE.log(), "k1").min()) < 0


def test_a_fixed_coefficient_stays() -> None:
    controller = KlController(0.05)
    controller.observe(100.0, 64)
    assert controller.coefficient == 0.05


@pytest.mark.parametrize(
    ("kl", "factor"),
    [
        (6.0, 1.0),
        (6.6, 1 + 0.1 * 64 / 10_000),
        (60.0, 1 + 0.2 * 64 / 10_000),
        (0.0, 1 - 0.2 * 64 / 10_000),
        (-3.0, 1 - 0.2 * 64 / 10_000),
        (math.nan, 1.0),
    ],
)
def test_the_adaptive_coefficient_follows_ziegler(kl: float, factor: float) -> None:
    controller = KlController(0.2, adaptive=True, target=6.0, horizon=10_000)
    controller.observe(kl, 64)
    assert controller.coefficient == pytest.approx(0.2 * factor, rel=1e-12)


def test_steered_by_its_own_effect_the_kl_settles_at_the_target() -> None:
    """A policy whose KL is 1/beta: the coefficient has to come to 1/6."""
    controller = KlController(0.05, adaptive=True, target=6.0, horizon=1000)
    for _ in range(400):
        controller.observe(1 / controller.coefficient, 64)
    assert 1 / controller.coefficient == pytest.approx(6.0, rel=0.01)
