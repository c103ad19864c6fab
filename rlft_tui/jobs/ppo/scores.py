"""From what the reward said to what PPO is given: a number for every answer that has one.

The raw scores are what is logged as reward; shaping serves the optimiser only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeGuard

import torch
from torch import Tensor

MissingEos = Literal["subtract", "replace"]


@dataclass(slots=True)
class ScoreShaping:
    """Centre, normalise, clip, then punish answers that never ended, in this order."""

    center: bool = False
    """Subtract the mean of the first update's scores. Its answers are the reference's own, and
    centring on them is what Stiennon et al. 2020 do to a reward model."""
    normalise: bool = False
    """Divide by the running standard deviation of all scores so far (Engstrom et al. 2020)."""
    clip: float = 0.0
    """Bound on the absolute value; 0 for none."""
    missing_eos_penalty: float = 0.0
    """What an answer cut by the length limit loses; 0 for none."""
    missing_eos: MissingEos = "subtract"
    """subtract the penalty from the score, or replace the score by minus the penalty."""
    offset: float | None = None
    """The first update's mean, once it is known."""
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared distances from the mean (Welford)."""

    def shape(self, raw: Sequence[float | None], ended: Sequence[bool]) -> Tensor:
        """float32 scores (answers,); NaN for an answer without one, which is to be left out."""
        given = [value for value in raw if is_score(value)]
        for value in given:
            self.count += 1
            delta = value - self.mean
            self.mean += delta / self.count
            self.squares += delta * (value - self.mean)
        if self.offset is None and given:
            self.offset = math.fsum(given) / len(given)
        scores = torch.tensor([value if is_score(value) else math.nan for value in raw], dtype=torch.float64)
        if self.center:
            scores = scores - (self.offset or 0.0)
        if self.normalise and self.count > 1 and self.squares > 0:
            scores = scores / math.sqrt(self.squares / self.count)
        if self.clip:
            scores = scores.clamp(-self.clip, self.clip)
        if self.missing_eos_penalty:
            cut = ~torch.tensor(list(ended), dtype=torch.bool)
            scores = torch.where(
                cut & ~scores.isnan(),
                -self.missing_eos_penalty
                if self.missing_eos == "replace"
                else scores - self.missing_eos_penalty,
                scores,
            )
        return scores.float()

    def state(self) -> dict[str, float | None]:
        """What a checkpoint has to keep."""
        kept = asdict(self)
        return {key: kept[key] for key in ("offset", "count", "mean", "squares")}

    def restore(self, state: dict[str, float | None]) -> None:
        for key, value in state.items():
            setattr(self, key, value)


def is_score(value: float | None) -> TypeGuard[float]:
    """Whether the reward said something that can be learned from: not None, NaN or infinite."""
    return value is not None and math.isfinite(value)
