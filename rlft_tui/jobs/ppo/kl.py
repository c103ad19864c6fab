"""How far the policy is from the reference, and how hard it is pulled back.

Estimators: Schulman 2020, "Approximating KL divergence". Controller: Ziegler et al.
2019, "Fine-tuning language models from human preferences", section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["k1", "k2", "k3"]
KlUnit = Literal["sequence", "token"]


def kl_per_token(logprobs: Tensor, reference: Tensor, estimator: Estimator) -> Tensor:
    """An estimate of KL(policy || reference) at every token drawn from the policy, in nats.

    With r = reference/policy: k1 = -log r, unbiased, either sign; k2 = (log r)^2 / 2, biased,
    never negative; k3 = r - 1 - log r, unbiased, never negative. Any shape; the caller masks.
    """
    log_r = reference - logprobs
    if estimator == "k1":
        return -log_r
    if estimator == "k2":
        return log_r.square() / 2
    return torch.expm1(log_r) - log_r


@dataclass(slots=True)
class KlController:
    """The coefficient beta of the KL penalty: fixed, or steered so that the KL settles at a target.

    ``beta <- beta * (1 + clip(kl / target - 1, -0.2, 0.2) * answers / horizon)``
    """

    coefficient: float
    adaptive: bool = False
    target: float = 6.0
    """nats, a sequence or a token: the unit of the KL it is told."""
    horizon: int = 10_000
    """Answers over which a full error would add a fifth to the coefficient."""

    def observe(self, kl: float, answers: int) -> None:
        """The mean KL of an update of that many answers; a KL that is no number changes nothing."""
        if not self.adaptive or kl != kl:
            return
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.coefficient *= 1.0 + error * answers / self.horizon
