"""The critic's head: where it starts, its type, and how far its gradient goes."""

from __future__ import annotations

import torch

from rlft_tui.jobs.ppo.value_head import ValueHead


def test_it_says_zero_at_first_whatever_the_state() -> None:
    assert ValueHead(8)(100 * torch.randn(3, 5, 8)).abs().max() == 0.0


def test_values_are_float32_under_a_bf16_trunk_and_autocast() -> None:
    head = ValueHead(8)
    torch.nn.init.constant_(head.linear.weight, 1.0)
    states = torch.randn(4, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = head(states)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values, states.float().sum(-1))


def test_detached_it_learns_alone() -> None:
    for detach in (False, True):
        head = ValueHead(4, detach=detach)
        torch.nn.init.constant_(head.linear.weight, 1.0)
        states = torch.randn(2, 4, requires_grad=True)
        head(states).sum().backward()
        assert head.linear.weight.grad is not None
        assert (states.grad is None) == detach
