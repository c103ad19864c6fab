"""Reward for answers of a wanted length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Text, plain_text, words


@dataclass(frozen=True, slots=True)
class LengthReward:
    """1 for a length from minimum to maximum; falls linearly to 0, at length 0 and at twice the maximum."""

    minimum: int = 10
    """Shortest length that scores 1."""
    maximum: int = 25
    """Longest length that scores 1."""
    unit: Literal["words", "characters", "tokens"] = "words"
    """What is counted."""

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise RlftError(f"minimum {self.minimum} and maximum {self.maximum} are no range of lengths")

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float]:
        if self.unit == "tokens":
            if completion_ids is None:
                raise RlftError("length in tokens needs a tokenizer", remedy='Take unit = "words" here')
            return [self.score(len(ids)) for ids in completion_ids]
        texts = [plain_text(completion) for completion in completions]
        counts = [len(text) if self.unit == "characters" else len(words(text)) for text in texts]
        return [self.score(count) for count in counts]

    def score(self, length: int) -> float:
        """In 0..1."""
        if length < self.minimum:
            return length / self.minimum
        if length > self.maximum:
            return max(0.0, 2.0 - length / self.maximum)
        return 1.0
