"""Rows of one base that are written together, whatever adapters they wear; they join and leave at any step.

What a seed fixes is said in ``decoding``. Rows that are asked together begin together, so a request
that has the worker to itself gets the same text each time; one that meets others in its batch may
part from it where floating point sums are rounded otherwise.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from rlft_tui.errors import RlftError
from rlft_tui.jobs.decoding import derived_seed, end_ids
from rlft_tui.jobs.mixed_adapters import MixedBase
from rlft_tui.jobs.token_draw import draw_tokens
from rlft_tui.runs.specs.inference import AnswerSampling

RIVALS = 5


@dataclass(frozen=True, slots=True)
class Held:
    """What the model held of one token, at temperature 1 and of all its vocabulary."""

    token: int
    probability: float
    top: tuple[tuple[int, float], ...]
    """The likeliest tokens, the likeliest first."""


@dataclass(slots=True, eq=False)
class AnswerRow:
    """One answer being written."""

    prompt: list[int]
    """Token ids of the rendered conversation, generation prompt included."""
    sampling: AnswerSampling
    seed: int
    adapter: str = ""
    """Folder of the adapter it wears; empty for the base."""
    probabilities: bool = False
    tokens: list[int] = field(default_factory=list)
    """The answer so far, without the token that ended it."""
    held: list[Held] = field(default_factory=list)
    """A value a token, the one that ended it included, where they are wanted."""
    ended: str = ""
    """"eos", "length", "stop", or empty while it is being written."""
    draws: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draws = random.Random(derived_seed(self.seed, "answer"))


class AnswerBatch:
    """The rows being written on one base, the states they have read, and those about to join."""

    def __init__(self, base: MixedBase) -> None:
        self.base = base
        self.rows: list[AnswerRow] = []
        self._joining: list[AnswerRow] = []
        self._cache = DynamicCache()
        self._mask = torch.empty(0, 0, dtype=torch.int64, device=base.device)
        self._last = torch.empty(0, 1, dtype=torch.int64, device=base.device)
        self._ends = end_ids(base.model, base.tokenizer)
        config = base.model.config.get_text_config()
        self._longest = getattr(config, "max_position_embeddings", None) or sys.maxsize

    def __len__(self) -> int:
        return len(self.rows) + len(self._joining)

    def all_rows(self) -> list[AnswerRow]:
        return self.rows + self._joining

    def check(self, rows: Sequence[AnswerRow]) -> None:
        """RlftError for a conversation that is longer than the model reads."""
        for row in rows:
            if len(row.prompt) >= self._longest:
                raise RlftError(
                    f"the conversation has {len(row.prompt):,} tokens, and the model reads {self._longest:,}",
                    remedy="Shorten it",
                )

    def join(self, rows: Sequence[AnswerRow]) -> None:
        """Have them written from the next step on."""
        self._joining += rows

    def leave(self, rows: Sequence[AnswerRow]) -> None:
        """Write no more of these."""
        self._joining = [row for row in self._joining if row not in rows]
        self._keep([index for index, row in enumerate(self.rows) if row not in rows])

    def clear(self) -> None:
        """After an error: nobody is written any more."""
        self._joining = []
        self._keep([])

    def step(self) -> list[AnswerRow]:
        """One more token for the rows that are open, or the first of those that join; whoever got one."""
        with torch.inference_mode():
            return self._read_prompts() if self._joining else self._write()

    def _read_prompts(self) -> list[AnswerRow]:
        rows = sorted(self._joining, key=lambda row: row.adapter)
        self._joining = []
        width = max(len(row.prompt) for row in rows)
        pad = self.base.tokenizer.pad_token_id
        ids = self._tensor([[pad] * (width - len(row.prompt)) + row.prompt for row in rows])
        mask = self._tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows])
        cache = DynamicCache()
        last = self._pass(rows, ids, mask, cache)
        self._add(rows, last, mask, cache)
        self._leave_ended()
        return rows

    def _write(self) -> list[AnswerRow]:
        rows = self.rows
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(rows), 1)], dim=1)
        self._last = self._pass(rows, self._last, self._mask, self._cache)
        self._leave_ended()
        return rows

    def _pass(self, rows: list[AnswerRow], ids: Tensor, mask: Tensor, cache: DynamicCache) -> Tensor:
        """Read ``ids`` (rows, tokens) behind what the cache holds, and give each row its next token."""
        self.base.wear([row.adapter for row in rows])
        output = self.base.inner(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :],
            past_key_values=cache,
            use_cache=True,
            # As a tensor, for the reason told in ``decoding``.
            logits_to_keep=torch.tensor([ids.shape[1] - 1], device=self.base.device),
        )
        logits = output.logits[:, -1, :].float()
        samplings = [row.sampling for row in rows]
        chosen = draw_tokens(restricted(logits, rows), samplings, [row.draws for row in rows])
        note_held(logits, rows, chosen)
        for row, token in zip(rows, chosen, strict=True):
            if token in self._ends:
                row.ended = "eos"
                continue
            row.tokens.append(token)
            if len(row.tokens) >= min(row.sampling.max_new_tokens, self._longest - len(row.prompt)):
                row.ended = "length"
        return self._tensor([[token] for token in chosen])

    def _add(self, rows: list[AnswerRow], last: Tensor, mask: Tensor, cache: DynamicCache) -> None:
        """Put rows that have been read beside those that are being written, adapter by adapter."""
        if self.rows:
            width = max(mask.shape[1], self._mask.shape[1])
            for held, new in zip(_layers(self._cache), _layers(cache), strict=True):
                held.keys = torch.cat([_widened(held.keys, width), _widened(new.keys, width)])
                held.values = torch.cat([_widened(held.values, width), _widened(new.values, width)])
            mask = torch.cat(
                [torch.nn.functional.pad(one, (width - one.shape[1], 0)) for one in (self._mask, mask)]
            )
            last = torch.cat([self._last, last])
            cache = self._cache
        together = self.rows + rows
        self.rows, self._mask, self._last, self._cache = together, mask, last, cache
        order = sorted(range(len(together)), key=lambda index: together[index].adapter)
        if order != list(range(len(together))):
            self._take(order)

    def _leave_ended(self) -> None:
        self._keep([index for index, row in enumerate(self.rows) if not row.ended])

    def _keep(self, kept: list[int]) -> None:
        if len(kept) == len(self.rows):
            return
        if not kept:
            self.rows, self._cache = [], DynamicCache()
            return
        self._take(kept)
        # Columns that only padded those who left are read no more.
        if unread := int((self._mask.cumsum(dim=1) == 0).sum(dim=1).min()):
            self._mask = self._mask[:, unread:]
            for layer in _layers(self._cache):
                layer.keys, layer.values = layer.keys[:, :, unread:], layer.values[:, :, unread:]

    def _take(self, order: list[int]) -> None:
        indices = torch.tensor(order, device=self.base.device)
        self._cache.batch_select_indices(indices)
        self._mask, self._last = self._mask[indices], self._last[indices]
        self.rows = [self.rows[index] for index in order]

    def _tensor(self, values: list[list[int]]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.base.device)


def restricted(logits: Tensor, rows: Sequence[AnswerRow]) -> Tensor:
    """The logits with what each row's repetition penalty and top_k leave of them."""
    wanted = [row for row in rows if row.sampling.repetition_penalty != 1 or row.sampling.top_k]
    if not wanted:
        return logits
    logits = logits.clone()
    for index, row in enumerate(rows):
        own = logits[index]
        if (penalty := row.sampling.repetition_penalty) != 1:
            seen = torch.tensor(list({*row.prompt, *row.tokens}), device=logits.device)
            before = own[seen]
            own[seen] = torch.where(before > 0, before / penalty, before * penalty)
        if 0 < row.sampling.top_k < len(own):
            least = own.topk(row.sampling.top_k).values[-1]
            own.masked_fill_(own < least, -torch.inf)
    return logits


def note_held(logits: Tensor, rows: Sequence[AnswerRow], chosen: Sequence[int]) -> None:
    """Write down what the model held of the chosen tokens, for the rows that want it."""
    for index, (row, token) in enumerate(zip(rows, chosen, strict=True)):
        if row.probabilities:
            probabilities = logits[index].softmax(dim=-1)
            likeliest = probabilities.topk(min(RIVALS, len(probabilities)))
            rivals = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
            row.held.append(Held(token, float(probabilities[token]), tuple(rivals)))


def _layers(cache: DynamicCache) -> Any:
    """The cache's layers, each with keys and values of all rows."""
    return cache.layers


def _widened(states: Tensor, width: int) -> Tensor:
    """Keys or values (rows, heads, tokens, size) with room on the left."""
    return torch.nn.functional.pad(states, (0, 0, width - states.shape[2], 0))
