"""Rewards, advantages and whitening against hand-worked rows and the definition in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rlft_tui.jobs.ppo.advantages import explained_variance, gae, masked_mean, per_token_rewards, whiten

F = torch.float64


def mask_of(lengths: list[int], width: int) -> Tensor:
    return (torch.arange(width)[None] < torch.tensor(lengths)[:, None]).to(F)


def by_definition(
    rewards: list[float], values: list[float], gamma: float, lam: float, after: float
) -> list[float]:
    """A_t as the double sum of the paper, for one answer without padding."""
    n = len(rewards)
    following = [*values[1:], after]
    deltas = [rewards[t] + gamma * following[t] - values[t] for t in range(n)]
    return [sum((gamma * lam) ** (u - t) * deltas[u] for u in range(t, n)) for t in range(n)]


def test_the_score_stands_on_the_last_real_token_and_the_kl_on_every_one() -> None:
    kl = torch.tensor([[0.1, 0.2, 9.0], [0.3, -0.1, 0.4]], dtype=F)
    rewards = per_token_rewards(torch.tensor([1.0, -2.0], dtype=F), kl, mask_of([2, 3], 3), beta=0.5)
    expected = torch.tensor([[-0.05, 1.0 - 0.1, 0.0], [-0.15, 0.05, -2.0 - 0.2]], dtype=F)
    torch.testing.assert_close(rewards, expected)


def test_an_answer_without_tokens_gets_nothing() -> None:
    rewards = per_token_rewards(
        torch.tensor([1.0], dtype=F), torch.zeros(1, 2, dtype=F), mask_of([0], 2), 0.1
    )
    assert rewards.tolist() == [[0.0, 0.0]]


def test_a_row_worked_by_hand() -> None:
    """gamma 1, lambda .5: deltas .5, -.5, 1.5, so A = .5 - .25 + .375, -.5 + .75, 1.5."""
    rewards = torch.tensor([[0.0, 0.0, 2.0]], dtype=F)
    values = torch.tensor([[0.5, 1.0, 0.5]], dtype=F)
    found = gae(rewards, values, mask_of([3], 3), gamma=1.0, lam=0.5)
    torch.testing.assert_close(found, torch.tensor([[0.625, 0.25, 1.5]], dtype=F))


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.8), (1.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("bootstrapped", [False, True])
def test_ragged_rows_equal_the_definition_whatever_stands_in_the_padding(
    gamma: float, lam: float, bootstrapped: bool
) -> None:
    lengths = [5, 1, 3, 7]
    generator = torch.Generator().manual_seed(1)
    rewards = torch.randn(4, 7, generator=generator, dtype=F)
    values = torch.randn(4, 7, generator=generator, dtype=F)
    after = torch.randn(4, generator=generator, dtype=F) if bootstrapped else None
    mask = mask_of(lengths, 7)
    found = gae(rewards * mask + 99 * (1 - mask), values, mask, gamma=gamma, lam=lam, bootstrap=after)
    for row, n in enumerate(lengths):
        end = float(after[row]) if after is not None else 0.0
        expected = by_definition(rewards[row, :n].tolist(), values[row, :n].tolist(), gamma, lam, end)
        assert found[row, :n].tolist() == pytest.approx(expected, abs=1e-12)
        assert found[row, n:].tolist() == [0.0] * (7 - n)


def test_with_lambda_one_the_returns_are_the_rewards_to_go() -> None:
    """Returns are advantages plus the values they were measured against, before any whitening."""
    rewards, mask = torch.tensor([[1.0, 2.0, 4.0]], dtype=F), mask_of([3], 3)
    values = torch.tensor([[5.0, -1.0, 3.0]], dtype=F)
    returns = gae(rewards, values, mask, gamma=1.0, lam=1.0) + values
    torch.testing.assert_close(returns, torch.tensor([[7.0, 6.0, 4.0]], dtype=F))


def test_whitening_counts_every_real_token_of_all_rows_once() -> None:
    x, mask = torch.tensor([[1.0, 2.0, 77.0], [3.0, 77.0, 77.0]], dtype=F), mask_of([2, 1], 3)
    found = whiten(x, mask)
    step = 1.5**0.5
    torch.testing.assert_close(
        found, torch.tensor([[-step, 0, 0], [step, 0, 0]], dtype=F), atol=1e-6, rtol=1e-6
    )
    kept = whiten(x, mask, keep_mean=True)
    assert float(masked_mean(kept, mask)) == pytest.approx(2.0)
    assert float(kept[0, 2]) == 0.0


def test_whitening_one_token_or_equal_ones_gives_zeros_not_nan() -> None:
    assert whiten(torch.tensor([[3.0]]), torch.ones(1, 1)).tolist() == [[0.0]]
    assert whiten(torch.full((2, 2), 4.0), torch.ones(2, 2)).tolist() == [[0.0, 0.0]] * 2


def test_explained_variance_of_a_perfect_a_constant_and_a_wrong_critic() -> None:
    returns, mask = torch.tensor([[1.0, 2.0, 3.0, 99.0]], dtype=F), mask_of([3], 4)
    assert float(explained_variance(returns, returns, mask)) == 1.0
    assert float(explained_variance(torch.full_like(returns, 7.0), returns, mask)) == pytest.approx(0.0)
    assert float(explained_variance(-returns, returns, mask)) == pytest.approx(-3.0)
    assert explained_variance(returns, torch.ones_like(returns), mask).isnan()
