"""What answers to prompts that were never trained on earn."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch

from rlft_tui.datasets.rows import PromptRow
from rlft_tui.jobs.decoding import Decoding, Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.reward_functions import RunRewards, columns_of
from rlft_tui.runs.specs.base import Sampling

UNITS = {"heldout/answer_tokens": "tokens", "heldout/ended": "share"}


class HeldOutReward:
    """One answer to each held-out prompt, drawn with the same random numbers at every measure."""

    def __init__(
        self,
        rows: Sequence[PromptRow],
        tokenizer: Any,
        rewards: RunRewards,
        *,
        sampling: Sampling,
        seed: int,
        batch_size: int,
    ) -> None:
        self.prompts = list(rows)
        self.rows = len(self.prompts)
        self.tokenizer = tokenizer
        self.rewards = rewards
        self.sampling = sampling
        self.seed = seed
        self.batch_size = batch_size

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """``heldout/reward`` is the mean over the answers that a reward judges, ``heldout/reward_std`` the
        deviation over them, ``heldout/rewards/NAME`` the mean of one part, unweighted; ``heldout/ended`` the
        share of answers that were not cut."""
        training = model.training
        model.eval()
        try:
            rows = self._answers(model)
        finally:
            model.train(training)
        texts = [answer_text(self.tokenizer, row) for row in rows]
        earned = self.rewards.reward(
            [row.prompt for row in self.prompts],
            [[{"role": "assistant", "content": text}] for text in texts],
            [row.tokens for row in rows],
            columns_of(self.prompts),
        )
        values = {
            "heldout/rows": float(self.rows),
            "heldout/answer_tokens": sum(len(row.tokens) for row in rows) / len(rows),
            "heldout/ended": sum(row.ended == "eos" for row in rows) / len(rows),
        }
        if totals := [one.total for one in earned if one.total is not None]:
            values["heldout/reward"] = statistics.fmean(totals)
            values["heldout/reward_std"] = statistics.pstdev(totals)
        for name in self.rewards.names:
            if parts := [value for one in earned if (value := one.parts[name]) is not None]:
                values[f"heldout/rewards/{name}"] = sum(parts) / len(parts)
        return values

    @torch.no_grad()
    def _answers(self, model: Any) -> list[Row]:
        """In the order of the prompts; those of like length are answered together."""
        ends = end_ids(model, self.tokenizer)
        rows = [
            Row(
                prompt_ids(self.tokenizer, each.prompt),
                self.sampling,
                derived_seed(self.seed, "held out", str(place)),
            )
            for place, each in enumerate(self.prompts)
        ]
        ordered = sorted(rows, key=lambda row: len(row.prompt))
        for start in range(0, len(ordered), self.batch_size):
            batch = ordered[start : start + self.batch_size]
            decoding = Decoding(model, batch, ends, self.tokenizer.pad_token_id)
            while decoding.open:
                decoding.step()
        return rows
