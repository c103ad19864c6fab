"""An answer as token ids, and many of them as tensors.

Prompt and response are laid side by side and padded on the right. Under causal attention no
real token can see padding there, so the pass needs neither an attention mask nor shifted
positions, and which tokens count follows from lengths, never from what the ids happen to be.

Tokens that all answers of a pass begin with (a system prompt, the head of a chat template, one
prompt answered often) may stand in it once: under causal attention their states are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rlft_tui.jobs.shared_prefix import shared_length


@dataclass(frozen=True, slots=True)
class Answer:
    """A response drawn from the policy."""

    prompt: list[int]
    """Token ids up to where the response begins; at least one."""
    response: list[int]
    """Token ids drawn, the end of sequence included if it was drawn; at least one."""
    ended: bool
    """By an end-of-sequence token; false when the length limit cut it."""
    text: str = ""
    """The response as text, special tokens left out."""
    place: int = 0
    """Place of the prompt in the list of prompts."""
    drawn: tuple[float, ...] = ()
    """Log-probability of each token of the response, nats, where another program than the policy drew it."""

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.response)


@dataclass(frozen=True, slots=True)
class Layout:
    """A pass over b answers, L tokens wide behind what they share; N response tokens, at most T in a row."""

    shared: Tensor
    """(1, P) int64, what every answer begins with; P may be 0."""
    ids: Tensor
    """(b, L) int64, what follows."""
    before: Tensor
    """(N,) places in the flattened (b L) states of the states *before* each response token."""
    targets: Tensor
    """(N,) ids of the response tokens, row after row."""
    mask: Tensor
    """(b, T) bool, true on real response tokens, which fill each row from the left."""
    last: Tensor
    """(b,) places in the flattened states of each answer's last token."""

    @property
    def tokens(self) -> int:
        """Tokens of the pass, padding included."""
        return self.shared.numel() + self.ids.numel()

    def rows(self, flat: Tensor) -> Tensor:
        """(N,) values put back into (b, T), 0 where there is no token."""
        return flat.new_zeros(self.mask.shape).masked_scatter(self.mask, flat)


def lay_out(
    answers: Sequence[Answer], *, pad_id: int, device: torch.device | str = "cpu", share: bool = False
) -> Layout:
    """The tensors of one pass; ``pad_id`` may be the end of sequence or any other id.

    ``share`` puts what all answers begin with into the pass once, where that is worth it.
    """
    common = shared_length([answer.prompt for answer in answers]) if share else 0
    width = max(answer.length for answer in answers) - common
    responses = max(len(answer.response) for answer in answers)
    ids = [(a.prompt + a.response)[common:] + [pad_id] * (width + common - a.length) for a in answers]
    before = [
        row * width + len(a.prompt) - common + step - 1
        for row, a in enumerate(answers)
        for step in range(len(a.response))
    ]
    counts = torch.tensor([len(a.response) for a in answers])
    return Layout(
        torch.tensor([answers[0].prompt[:common]], dtype=torch.int64, device=device),
        torch.tensor(ids, device=device),
        torch.tensor(before, device=device),
        torch.tensor([token for a in answers for token in a.response], device=device),
        (torch.arange(responses)[None] < counts[:, None]).to(device),
        torch.tensor([row * width + a.length - common - 1 for row, a in enumerate(answers)], device=device),
    )
