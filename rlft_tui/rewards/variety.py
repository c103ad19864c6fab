"""Penalty for saying what the other answers of the batch say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Text, plain_text, words


@dataclass(frozen=True, slots=True)
class VarietyReward:
    """Minus the share of n-grams of words that another text of the batch says too; 0 for one like no other.

    Beside another reward it holds off the collapse of all answers into a few phrases. What a text scores
    depends on the batch that it stands in, so figures of batches of different sizes do not compare.
    """

    n: int = 2
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
        said = [self._ngrams(words(plain_text(completion))) for completion in completions]
        texts_with = Counter(ngram for each in said for ngram in each)
        return [
            0.0 - sum(texts_with[ngram] > 1 for ngram in each) / len(each) if each else 0.0 for each in said
        ]

    def _ngrams(self, tokens: Sequence[str]) -> set[tuple[str, ...]]:
        return {tuple(tokens[start : start + self.n]) for start in range(len(tokens) - self.n + 1)}
