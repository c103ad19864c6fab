"""Batched sampling with a KV cache, one token of every row at a time.

What a seed fixes. Every row draws its random numbers from its own generator, so a
row never sees which rows share its batch, and the same batch gives the same text
bit for bit on the same machine and thread count. In another batch the row meets
the same random numbers, but padding and matrix shapes change how floating point
sums are rounded; where a draw falls within that rounding (rare in fp32, possible
after some dozen tokens in bf16) the text goes another way from there on.
Torch's global generator is never touched: sampling leaves a training run's
random state as it was.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from rlft_tui.jobs.token_draw import draw_tokens
from rlft_tui.runs.run_spec import Sampling


@dataclass(slots=True)
class Row:
    """One answer being written."""

    prompt: list[int]
    """Token ids of the rendered conversation, generation prompt included."""
    sampling: Sampling
    seed: int
    tokens: list[int] = field(default_factory=list)
    """The answer so far, without the end-of-sequence token."""
    ended: str = ""
    """"eos", "length", or empty while it is being written."""
    end: int = -1
    """The token that ended it, where one did."""


def derived_seed(seed: int, *parts: str) -> int:
    """A 63-bit seed of its own for every (seed, parts)."""
    text = "\x1f".join((str(seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def prompt_ids(tokenizer: Any, messages: list[dict[str, str]]) -> list[int]:
    """The conversation through the chat template, up to where the answer begins."""
    encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    return list(encoded["input_ids"])


def answer_text(tokenizer: Any, row: Row) -> str:
    return str(tokenizer.decode(row.tokens, skip_special_tokens=True))


def end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Token ids that end an answer: the tokenizer's and those of the generation settings."""
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ids = named if isinstance(named, list) else [] if named is None else [named]
    return frozenset([*ids, tokenizer.eos_token_id])


class Decoding:
    """Rows of one model that are written together; each ``step`` adds a token to every open row.

    Rows that end leave the batch at once, so the long ones are not paid for by the short ones.
    """

    def __init__(self, model: Any, rows: list[Row], ends: frozenset[int], pad_id: int) -> None:
        self.model = model
        self.open = list(rows)
        self.ends = ends
        self.device = model.device
        self._random = {id(row): random.Random(row.seed) for row in rows}
        width = max(len(row.prompt) for row in rows)
        ids = [[pad_id] * (width - len(row.prompt)) + row.prompt for row in rows]
        mask = [[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
        self._ids = torch.tensor(ids, device=self.device)
        self._mask = torch.tensor(mask, device=self.device)
        self._cache = DynamicCache()

    def step(self) -> list[Row]:
        """Add one token to every open row; the rows that were open before it."""
        if not self.open:
            return []
        positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, -self._ids.shape[1] :]
        output = self.model(
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            # As a tensor: a slice of the states would not be contiguous, and torch would then multiply
            # it row by row, with a copy of the whole output layer for every row.
            logits_to_keep=torch.tensor([self._ids.shape[1] - 1], device=self.device),
        )
        rows = self.open
        chosen = draw(output.logits[:, -1, :].float(), rows, [self._random[id(row)] for row in rows])
        kept = []
        for index, (row, token) in enumerate(zip(rows, chosen, strict=True)):
            if token in self.ends:
                row.ended, row.end = "eos", token
                continue
            row.tokens.append(token)
            if len(row.tokens) >= row.sampling.max_new_tokens:
                row.ended = "length"
            else:
                kept.append(index)
        self._keep(kept, chosen)
        return rows

    def _keep(self, kept: list[int], chosen: list[int]) -> None:
        if len(kept) < len(self.open) and kept:
            indices = torch.tensor(kept, device=self.device)
            self._cache.batch_select_indices(indices)
            self._mask = self._mask[indices]
        self.open = [self.open[index] for index in kept]
        if kept:
            self._ids = torch.tensor([[chosen[index]] for index in kept], device=self.device)
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(kept), 1)], dim=1)


def draw(logits: torch.Tensor, rows: list[Row], generators: list[random.Random]) -> list[int]:
    """One token a row from logits (rows, vocabulary); see ``token_draw``."""
    return draw_tokens(logits, [row.sampling for row in rows], generators)
