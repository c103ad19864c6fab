"""The model that is measured: it answers, and says how likely it finds texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rlft_tui.jobs.batch_decoding import write_rows
from rlft_tui.jobs.decoding import Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.scoring import Scored, answer_logps
from rlft_tui.runs.specs.base import Sampling

_PASS_TOKENS = 4096
"""Tokens of one forward pass at most, padding included: logits of more would not fit into memory."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said."""

    text: str
    tokens: int
    ended: str
    """eos, length or stop."""


class Stopped(Exception):
    """Somebody asked the job to end."""


class Subject:
    """A model with its tokenizer, in memory. Torch's random state is never touched."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        batch_size: int,
        seed: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.seed = seed
        self.stopped = stopped
        self.ends = end_ids(model, tokenizer)
        text = getattr(model.config, "get_text_config", lambda: model.config)()
        self.longest: int = getattr(text, "max_position_embeddings", 0) or 1 << 20

    @torch.no_grad()
    def answers(
        self,
        asked: Sequence[tuple[str, list[dict[str, str]]]],
        sampling: Sampling,
        *,
        stop: Sequence[str] = (),
        plain: bool = False,
    ) -> list[Answer]:
        """An answer to each (key, messages); the key fixes its random numbers.

        ``plain`` goes on writing the last message's text instead of answering it.
        """
        rows = []
        for key, messages in asked:
            ids = (
                self.tokenizer(messages[-1]["content"])["input_ids"]
                if plain
                else prompt_ids(self.tokenizer, messages)
            )
            room = max(1, self.longest - min(sampling.max_new_tokens, self.longest // 2))
            rows.append(Row(prompt=list(ids)[-room:], sampling=sampling, seed=derived_seed(self.seed, key)))
        training = self.model.training
        self.model.eval()
        try:
            order = sorted(rows, key=lambda row: len(row.prompt))
            for _ in write_rows(
                self.model, order, self.ends, self.tokenizer.pad_token_id, slots=self.batch_size
            ):
                if self.stopped():
                    raise Stopped
        finally:
            self.model.train(training)
        return [self._answer(row, stop) for row in rows]

    def nats(self, items: Sequence[Scored]) -> list[float]:
        """-log p of each item's answer given its prompt, in nats."""
        training = self.model.training
        self.model.eval()
        order = sorted(range(len(items)), key=lambda at: items[at].length)
        found = [0.0] * len(items)
        try:
            while order:
                width = items[order[0]].length
                taken = 1
                while taken < min(self.batch_size, len(order)):
                    width = items[order[taken]].length
                    if width * (taken + 1) > _PASS_TOKENS:
                        break
                    taken += 1
                batch, order = order[:taken], order[taken:]
                for at, value in zip(
                    batch, answer_logps(self.model, [items[at] for at in batch], taken), strict=True
                ):
                    found[at] = -value
                if self.stopped():
                    raise Stopped
        finally:
            self.model.train(training)
        return found

    def _answer(self, row: Row, stop: Sequence[str]) -> Answer:
        text = answer_text(self.tokenizer, row)
        ends = [at for one in stop if one and (at := text.find(one)) >= 0]
        if ends:
            return Answer(text[: min(ends)], len(row.tokens), "stop")
        return Answer(text, len(row.tokens), row.ended)
