"""Penalty for saying the same thing again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Text, plain_text, words


@dataclass(frozen=True, slots=True)
class RepetitionReward:
    """Minus the share of n-grams of words that occurred before: 0 without any, near -1 for one word for ever.

    1 minus distinct-n of Li et al. 2016 (arXiv 1510.03055), negated.
    """

    n: int = 3
    """Words in an n-gram; a text of fewer words scores 0."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise RlftError(f"n is {self.n}, but an n-gram has at least one word")

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Any = None,
        **columns: Any,
    ) -> list[float]:
        return [0.0 - repeated_share(words(plain_text(completion)), self.n) for completion in completions]


def repeated_share(tokens: Sequence[str], n: int) -> float:
    """The share (0..1) of n-grams that are not the first of their kind."""
    total = len(tokens) - n + 1
    if total < 1:
        return 0.0
    distinct = len({tuple(tokens[start : start + n]) for start in range(total)})
    return (total - distinct) / total
