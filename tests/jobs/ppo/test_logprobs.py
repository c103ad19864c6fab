"""Chunked log-probabilities against a float64 softmax over everything at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rlft_tui.jobs.ppo.logprobs import OutputLayer, TokenScores, token_logprobs

N, D, V = 11, 6, 17


def plain(
    states: Tensor, targets: Tensor, layer: OutputLayer, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies the long way."""
    logits = states @ layer.weight.T
    if layer.bias is not None:
        logits = logits + layer.bias
    log_p = torch.log_softmax(logits / temperature, dim=-1)
    return log_p[torch.arange(len(targets)), targets], -(log_p.exp() * log_p).sum(-1)


def case(*, learns_layer: bool, bias: bool, seed: int = 0) -> tuple[Tensor, Tensor, OutputLayer]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    states = draw(N, D).requires_grad_()
    layer = OutputLayer(
        draw(V, D).requires_grad_(learns_layer), draw(V).requires_grad_(learns_layer) if bias else None
    )
    return states, torch.randint(0, V, (N,), generator=generator), layer


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("learns_layer", [False, True])
def test_values_and_every_gradient_equal_the_softmax_over_everything(
    learns_layer: bool, bias: bool, temperature: float
) -> None:
    states, targets, layer = case(learns_layer=learns_layer, bias=bias)
    found = token_logprobs(states, targets, layer, temperature=temperature, entropy=True, chunk_logits=3 * V)
    expected = plain(states, targets, layer, temperature)
    assert found.entropy is not None
    torch.testing.assert_close((found.logprobs, found.entropy), expected, rtol=1e-12, atol=1e-12)

    wanted = [
        tensor for tensor in (states, layer.weight, layer.bias) if tensor is not None and tensor.requires_grad
    ]
    upstream = torch.linspace(-1, 2, N, dtype=torch.float64)
    ours = torch.autograd.grad((found.logprobs * upstream + found.entropy * upstream**2).sum(), wanted)
    theirs = torch.autograd.grad((expected[0] * upstream + expected[1] * upstream**2).sum(), wanted)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("learns_layer", [False, True])
def test_the_gradient_is_right_where_no_entropy_was_asked_for(learns_layer: bool) -> None:
    states, targets, layer = case(learns_layer=learns_layer, bias=False, seed=3)

    def total(states: Tensor, weight: Tensor) -> Tensor:
        return (
            token_logprobs(states, targets, OutputLayer(weight), chunk_logits=4 * V).logprobs.square().sum()
        )

    assert torch.autograd.gradcheck(total, (states, layer.weight))


def test_the_size_of_the_chunks_changes_nothing() -> None:
    states, targets, layer = case(learns_layer=False, bias=True)
    runs: list[TokenScores] = [
        token_logprobs(states, targets, layer, entropy=True, chunk_logits=size) for size in (1, 5 * V, 10**9)
    ]
    for run in runs[1:]:
        torch.testing.assert_close(run.logprobs, runs[0].logprobs)
        torch.testing.assert_close(run.entropy, runs[0].entropy)


def test_bf16_states_give_float32_scores() -> None:
    states, targets, layer = case(learns_layer=False, bias=False)
    narrow = OutputLayer(layer.weight.bfloat16())
    found = token_logprobs(states.detach().bfloat16(), targets, narrow, entropy=True)
    exact = plain(states.detach().bfloat16().double(), targets, OutputLayer(narrow.weight.double()))
    assert found.logprobs.dtype == torch.float32
    assert found.entropy is not None
    assert found.entropy.dtype == torch.float32
    torch.testing.assert_close(found.logprobs.double(), exact[0], atol=0.05, rtol=0)


def test_the_memory_kept_for_the_backward_pass_does_not_grow_with_the_vocabulary() -> None:
    states = torch.randn(64, 8, requires_grad=True)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        token_logprobs(states, torch.zeros(64, dtype=torch.long), OutputLayer(torch.randn(5000, 8)))
    assert sum(kept) <= 64 * 8
