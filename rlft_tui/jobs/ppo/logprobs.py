"""Log-probabilities and entropies of tokens, without ever holding a whole batch's logits.

With 49,152 words in the vocabulary the logits of one token weigh 85 times its hidden
state. So the output layer, the softmax and their gradient are worked through in chunks
of tokens, and what autograd keeps is one hidden-sized vector a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CHUNK_LOGITS = 1 << 25
"""Logits computed at a time: 128 MB in float32. A CPU lays the output layer out anew for every chunk."""
CACHED_LOGITS = 1 << 19
"""Of these, as many as a CPU takes through the softmax at a time, so that they stay in its cache."""


@dataclass(frozen=True, slots=True)
class OutputLayer:
    """What turns a hidden state into logits: ``weight @ state + bias``."""

    weight: Tensor
    """(vocabulary, hidden)."""
    bias: Tensor | None = None
    """(vocabulary,)."""


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Both (tokens,), float32, in nats."""

    logprobs: Tensor
    """log p(token | everything before it)."""
    entropy: Tensor | None
    """Of the distribution the token was drawn from; None where it was not asked for."""


def token_logprobs(
    states: Tensor,
    targets: Tensor,
    layer: OutputLayer,
    *,
    temperature: float = 1.0,
    entropy: bool = False,
    entropy_learns: bool = True,
    chunk_logits: int = CHUNK_LOGITS,
) -> TokenScores:
    """Scores of ``targets`` (tokens,) under the states (tokens, hidden) *before* them.

    Logits are computed in the states' type (autocast's where it is on), everything
    after them in float32. The temperature divides the logits, as in sampling.
    Differentiable in states, weight and bias; the entropy only where ``entropy_learns``.
    """
    logprobs, entropies = _TokenScores.apply(
        states, targets, layer.weight, layer.bias, temperature, entropy, entropy_learns, chunk_logits
    )
    return TokenScores(logprobs, entropies if entropy else None)


class _TokenScores(torch.autograd.Function):
    """The gradient of a token's score is the token's own upstream number times a vector known at once.

    d logp/d logits = onehot - p and dH/d logits = -p (log p + H), so with a frozen output
    layer the forward pass can leave ``weight.T`` times these behind, (tokens, hidden), and
    the backward pass is a multiplication. Where the output layer learns too, its own
    gradient needs the upstream numbers first: then the backward pass computes the logits again.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        targets: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        temperature: float,
        entropy: bool,
        entropy_learns: bool,
        chunk_logits: int,
    ) -> tuple[Tensor, Tensor]:
        device = states.device.type
        compute = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        learns_layer = ctx.needs_input_grad[2] or ctx.needs_input_grad[3]
        keep = ctx.needs_input_grad[0] and not learns_layer
        matrix = weight.to(compute)
        wide = torch.promote_types(compute, torch.float32)
        logprobs = states.new_empty(len(states), dtype=wide)
        entropies = states.new_zeros(len(states), dtype=wide)
        of_logprob = states.new_empty(states.shape, dtype=wide) if keep else None
        of_entropy = (
            states.new_empty(states.shape, dtype=wide) if keep and entropy and entropy_learns else None
        )
        rows = max(1, chunk_logits // weight.shape[0])
        with torch.autocast(device, enabled=False):
            for start in range(0, len(states), rows):
                part = slice(start, start + rows)
                p = functional.linear(states[part].to(compute), matrix, _like(bias, matrix))
                slope = torch.empty_like(p) if of_entropy is not None else None
                _softmax(
                    p, targets[part], temperature, logprobs[part], entropies[part] if entropy else None, slope
                )
                if of_entropy is not None and slope is not None:
                    of_entropy[part] = -(slope @ matrix) / temperature
                if of_logprob is not None:
                    of_logprob[part] = (matrix[targets[part]] - p @ matrix) / temperature
        if not entropy_learns:
            ctx.mark_non_differentiable(entropies)
            entropy = False
        ctx.temperature, ctx.rows, ctx.compute, ctx.entropy = temperature, rows, compute, entropy
        ctx.states_dtype, ctx.learns_layer = states.dtype, learns_layer
        ctx.save_for_backward(
            *(
                (of_logprob, of_entropy)
                if not learns_layer
                else (states, targets, weight, bias, entropies if entropy else None)
            )
        )
        return logprobs, entropies

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        d_logprobs, d_entropies = grads
        if ctx.learns_layer:
            return (*_with_layer(ctx, d_logprobs, d_entropies), None, None, None, None)
        of_logprob, of_entropy = ctx.saved_tensors
        d_states = d_logprobs[:, None] * of_logprob
        if of_entropy is not None:
            d_states = d_states + d_entropies[:, None] * of_entropy
        return d_states.to(ctx.states_dtype), None, None, None, None, None, None, None


def _with_layer(
    ctx: Any, d_logprobs: Tensor, d_entropies: Tensor
) -> tuple[Tensor, None, Tensor, Tensor | None]:
    """Gradients of states, weight and bias, from logits computed a second time."""
    states, targets, weight, bias, entropies = ctx.saved_tensors
    matrix = weight.to(ctx.compute)
    d_states = torch.empty_like(states)
    d_weight = torch.zeros_like(weight)
    d_bias = torch.zeros_like(bias) if bias is not None else None
    for start in range(0, len(states), ctx.rows):
        part = slice(start, start + ctx.rows)
        logp = _logits(states[part].to(ctx.compute), matrix, bias, ctx.temperature).log_softmax(dim=-1)
        p = logp.exp()
        d_logits = -p * d_logprobs[part, None]
        d_logits.scatter_add_(1, targets[part, None], d_logprobs[part, None])
        if ctx.entropy:
            d_logits -= d_entropies[part, None] * p * (logp + entropies[part, None])
        d_logits /= ctx.temperature
        if d_bias is not None:
            d_bias += d_logits.sum(dim=0).to(d_bias.dtype)
        narrow = d_logits.to(ctx.compute)
        d_states[part] = (narrow @ matrix).to(states.dtype)
        d_weight += (narrow.T @ states[part].to(ctx.compute)).to(weight.dtype)
    return d_states, None, d_weight, d_bias


def _softmax(
    logits: Tensor,
    targets: Tensor,
    temperature: float,
    logprobs: Tensor,
    entropies: Tensor | None,
    slope: Tensor | None,
) -> None:
    """Put probabilities in the place of logits (rows, vocabulary), and the targets' log-probabilities, the
    entropies and p (log p + H) into the other tensors."""
    rows = max(1, CACHED_LOGITS // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    for start in range(0, len(logits), rows):
        few = slice(start, start + rows)
        logp = _wide(logits[few], temperature).log_softmax(dim=-1)
        logprobs[few] = logp.gather(1, targets[few, None])[:, 0]
        p = logp.exp()
        if entropies is not None:
            entropies[few] = -torch.linalg.vecdot(p, logp)
            if slope is not None:
                slope[few] = logp.add_(entropies[few, None]).mul_(p)
        logits[few] = p


def _logits(states: Tensor, matrix: Tensor, bias: Tensor | None, temperature: float) -> Tensor:
    return _wide(functional.linear(states, matrix, _like(bias, matrix)), temperature)


def _wide(logits: Tensor, temperature: float) -> Tensor:
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return wide / temperature if temperature != 1.0 else wide


def _like(bias: Tensor | None, matrix: Tensor) -> Tensor | None:
    return None if bias is None else bias.to(matrix.dtype)
