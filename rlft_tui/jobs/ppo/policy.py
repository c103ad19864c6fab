"""Policy, reference and critic: three readings of one model.

The trunk (the model without its output layer) runs once a pass; the output layer and the
value head read its last hidden states, at response positions only. The reference is the
same trunk with the adapter switched off, so nothing but a few million adapter weights is
held twice. Full fine-tuning has no adapter to switch and keeps a frozen copy instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rlft_tui.errors import RlftError
from rlft_tui.jobs.batch_decoding import takes_slots
from rlft_tui.jobs.ppo.adapters import REFERENCE, VALUE, Adapters
from rlft_tui.jobs.ppo.answers import Answer, Layout, lay_out
from rlft_tui.jobs.ppo.gradient_checkpointing import checkpointed, training
from rlft_tui.jobs.ppo.logprobs import OutputLayer, token_logprobs
from rlft_tui.jobs.ppo.value_head import ValueHead
from rlft_tui.jobs.shared_prefix import last_states


@dataclass(frozen=True, slots=True)
class Reading:
    """What the policy makes of b answers; all float32."""

    layout: Layout
    logprobs: Tensor
    """(N,) of the response tokens, nats, at the sampling temperature."""
    values: Tensor
    """(N,) V of the state before each response token."""
    after: Tensor
    """(b,) V of the state after the last token."""
    entropy: Tensor | None
    """(N,) of the distribution each token was drawn from, nats."""


class Policy:
    """The model being trained. It stays in evaluation mode: dropout would make ratios noise."""

    def __init__(
        self,
        model: Any,
        head: ValueHead,
        *,
        temperature: float,
        pad_id: int,
        reference: Any = None,
        autocast: torch.dtype | None = None,
    ) -> None:
        """``reference`` is a frozen model, or None to switch the model's adapter off.

        ``autocast`` is the type of matrix products where weights are kept in float32.
        """
        self.model = model.eval()
        self.head = head.to(model.device)
        self.temperature = temperature
        self.pad_id = pad_id
        self.autocast = autocast
        self.adapters = Adapters(model)
        self.device: torch.device = model.device
        base = model.get_base_model() if self.adapters.layers else model
        self._trunk = base.base_model
        self._output = base.get_output_embeddings()
        self._checkpointed = checkpointed(self._trunk)
        self.shares = takes_slots(base) and not self._checkpointed
        """Whether what sequences share is read once: a layer that is computed again takes no keys and
        values from before."""
        self._names = set(getattr(model, "peft_config", {}))
        self._frozen = reference.eval().requires_grad_(False) if reference is not None else None
        if self._frozen is None and not self.adapters.layers:
            raise RlftError("full fine-tuning needs a frozen copy as its reference")
        if autocast is not None:
            for layer in self.adapters.layers:
                # Autocast chooses the type; PEFT would first copy every input to float32.
                layer.cast_input_dtype_enabled = False
        with self.precision():
            _check_output_layer(base, self._trunk, self._layer(self._output))

    def read(
        self, answers: Sequence[Answer], *, entropy: bool = False, entropy_learns: bool = True
    ) -> Reading:
        """Log-probabilities and values of the answers' tokens, differentiable outside ``no_grad``."""
        layout = self._lay_out(answers)
        with self.precision(), training(self._checkpointed):
            states = self.states(layout.shared, layout.ids).flatten(0, 1)
            scores = token_logprobs(
                states[layout.before],
                layout.targets,
                self._layer(self._output),
                temperature=self.temperature,
                entropy=entropy,
                entropy_learns=entropy_learns,
            )
            if VALUE in self._names:
                with self.adapters.using(VALUE):
                    states = self.states(layout.shared, layout.ids).flatten(0, 1)
        values = self.head(states[torch.cat([layout.before, layout.last])])
        n = len(layout.targets)
        return Reading(layout, scores.logprobs, values[:n], values[n:], scores.entropy)

    @torch.no_grad()
    def reference_logprobs(self, answers: Sequence[Answer]) -> Tensor:
        """(N,) log-probabilities of the answers' tokens under the reference."""
        layout = self._lay_out(answers)
        with self.reference() as model, self.precision():
            frozen = model is self._frozen
            trunk = model.base_model if frozen else self._trunk
            states = last_states(trunk, layout.shared, layout.ids).flatten(0, 1)
            scores = token_logprobs(
                states[layout.before],
                layout.targets,
                self._layer(model.get_output_embeddings() if frozen else self._output),
                temperature=self.temperature,
            )
        return scores.logprobs

    @contextmanager
    def reference(self) -> Iterator[Any]:
        """The reference as a model: a frozen copy, or the policy's own with its adapter switched off."""
        if self._frozen is not None:
            yield self._frozen
            return
        with self.adapters.using(REFERENCE if REFERENCE in self._names else None):
            yield self.model

    def precision(self) -> AbstractContextManager[Any]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast)

    def policy_parameters(self) -> list[nn.Parameter]:
        """What the policy's loss trains."""
        return [
            p for name, p in self.model.named_parameters() if p.requires_grad and f".{VALUE}." not in name
        ]

    def value_parameters(self) -> list[nn.Parameter]:
        """What only the value loss trains."""
        own = [p for name, p in self.model.named_parameters() if p.requires_grad and f".{VALUE}." in name]
        return [*self.head.parameters(), *own]

    def parameters(self) -> Iterator[nn.Parameter]:
        yield from self.policy_parameters()
        yield from self.value_parameters()

    def states(self, shared: Tensor, ids: Tensor) -> Tensor:
        """Last hidden states, as ``last_states`` gives them, with whatever adapter is in use."""
        return last_states(self._trunk, shared, ids)

    def _lay_out(self, answers: Sequence[Answer]) -> Layout:
        return lay_out(answers, pad_id=self.pad_id, device=self.device, share=self.shares)

    @staticmethod
    def _layer(module: Any) -> OutputLayer:
        return OutputLayer(module.weight, module.bias)


@torch.no_grad()
def _check_output_layer(model: Any, trunk: Any, layer: OutputLayer) -> None:
    """Some models do more to their logits than one linear layer; better refused than trained wrongly."""
    ids = torch.arange(4, device=model.device)[None]
    states = trunk(input_ids=ids, use_cache=False).last_hidden_state.to(layer.weight.dtype)
    expected = nn.functional.linear(states, layer.weight, layer.bias).float()
    found = model(input_ids=ids, use_cache=False).logits.float()
    if not torch.allclose(found, expected, rtol=0.05, atol=0.05 * float(expected.abs().max())):
        raise RlftError(
            f"the logits of a {type(model).__name__} are not a linear map of its last hidden state",
            remedy="Use a Llama, Mistral, Qwen or SmolLM model",
        )
