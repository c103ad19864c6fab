"""The critic: one linear map from the trunk's last hidden state to a state's value."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ValueHead(nn.Module):
    """V(s) = w . state + b in float32, whatever type the trunk computes in.

    It starts at zero: before anything is known every state is worth nothing, and the first
    advantages are the rewards themselves. ``detach`` keeps its gradient out of the trunk.
    """

    def __init__(self, hidden: int, *, detach: bool = False) -> None:
        super().__init__()
        self.detach = detach
        self.linear = nn.Linear(hidden, 1, dtype=torch.float32)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden) to (...)."""
        if self.detach:
            states = states.detach()
        with torch.autocast(states.device.type, enabled=False):
            return self.linear(states.to(self.linear.weight.dtype))[..., 0]
