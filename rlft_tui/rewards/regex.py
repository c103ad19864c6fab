"""Reward for a pattern that is found, or that is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Text, plain_text


@dataclass(frozen=True, slots=True)
class RegexReward:
    """1 where the pattern is found, else 0; with absent = true the other way round."""

    pattern: str = ""
    """Python regular expression; (?i) at its beginning ignores case, (?s) lets a dot match a new line."""
    match: Literal["search", "full"] = "search"
    """search: anywhere in the text; full: the text as a whole."""
    absent: bool = False
    """Reward texts without the pattern."""
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False, default=re.compile(""))

    def __post_init__(self) -> None:
        if not self.pattern:
            raise RlftError("pattern is missing", remedy="Name one: --reward 'regex:pattern=[0-9]+'")
        try:
            object.__setattr__(self, "_compiled", re.compile(self.pattern))
        except (re.error, OverflowError, RecursionError) as error:
            raise RlftError(f"pattern {self.pattern!r} is no regular expression: {error}") from None

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Any = None,
        **columns: Any,
    ) -> list[float]:
        find = self._compiled.search if self.match == "search" else self._compiled.fullmatch
        return [
            float((find(plain_text(completion)) is not None) is not self.absent) for completion in completions
        ]
