"""Thousands of texts with one model: as many at a time as there are slots, the next as soon as one ends.

What makes it quick: a prompt is read once for all of its answers, whose slots begin as copies of its
keys and values; a slot is never idle while texts wait; the cache is made once and nothing is padded
on the left. ``slot_attention`` and ``packed_linear`` make each step of it quick on a CPU.

What a seed fixes is said in ``decoding``. The order of the rows and the number of slots decide which
texts are computed together: with the same of both, and the same machine and threads, every text comes
out bit for bit again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from rlft_tui.jobs.decoding import Decoding, Row
from rlft_tui.jobs.grouped_attention import NAME as GROUPED
from rlft_tui.jobs.slot_attention import NAME as SLOTS
from rlft_tui.jobs.slot_cache import SlotCache
from rlft_tui.jobs.token_draw import draw_tokens

_PASS_TOKENS = {"cpu": 1024, "cuda": 16384}
"""Prompt tokens read together, padding included."""
_ROW_STEP = 8
"""Rows of a pass are a multiple of this, unused ones among them: few shapes to prepare kernels for."""


Step = tuple[int, list[Row]]
"""Tokens drawn, and the rows that ended."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt that has been read."""

    states: tuple[tuple[Tensor, Tensor], ...]
    """Keys and values of each layer, (heads, tokens, size)."""
    logits: Tensor
    """(vocabulary,) float32, of the token that follows it."""


def takes_slots(model: Any) -> bool:
    """Whether every layer attends to all tokens before it, by an attention that takes our mask."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    sliding = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return (
        all(kind == "full_attention" for kind in kinds)
        and not (sliding and not getattr(config, "layer_types", None))
        and not getattr(model, "_is_stateful", False)
        and not model.config.is_encoder_decoder
        and config._attn_implementation in ("sdpa", GROUPED, SLOTS)
    )


def write_rows(
    model: Any, rows: Sequence[Row], ends: frozenset[int], pad_id: int, *, slots: int
) -> Iterator[Step]:
    """Write every row; after each step the tokens drawn in it, ends of sequence too, and the rows it ended.

    Rows of one prompt should follow one another. Call it under ``torch.inference_mode``. A model whose
    layers keep something else than all keys and values is given batches of ``slots`` rows instead.
    """
    if not rows:
        return
    if takes_slots(model):
        yield from SlotDecoding(model, rows, ends, pad_id, slots=slots).run()
        return
    for start in range(0, len(rows), slots):
        decoding = Decoding(model, list(rows[start : start + slots]), ends, pad_id)
        while decoding.open:
            stepped = decoding.step()
            yield len(stepped), [row for row in stepped if row.ended]


class SlotDecoding:
    """The rows, those that are being written, and the cache that they are written in."""

    def __init__(
        self, model: Any, rows: Sequence[Row], ends: frozenset[int], pad_id: int, *, slots: int
    ) -> None:
        self.model = model
        self.ends = ends
        self.pad_id = pad_id
        self.device = model.device
        self.waiting = list(reversed(rows))
        self.slots = min(slots, len(rows))
        self.active: list[Row] = []
        """The row in each slot in use, which are the first ones."""
        self._random: dict[int, random.Random] = {}
        self._prefixes: dict[tuple[int, ...], Prefix] = {}
        room = max(len(row.prompt) + row.sampling.max_new_tokens for row in rows)
        padded = -(-self.slots // _ROW_STEP) * _ROW_STEP
        self.cache = SlotCache(model.config.get_text_config().num_hidden_layers, padded, room)
        self.lengths = torch.zeros(padded, dtype=torch.int64, device=self.device)
        self.last = torch.full((padded,), pad_id, dtype=torch.int64, device=self.device)

    def run(self) -> Iterator[Step]:
        """Step after step until all rows have ended."""
        while self.waiting or self.active:
            before = len(self.waiting)
            ended = self._fill()
            drawn = before - len(self.waiting) + len(self.active)
            if self.active:
                ended += self._step()
            yield drawn, ended

    def _fill(self) -> list[Row]:
        """Give free slots to rows that wait; those that end with their first token."""
        ended: list[Row] = []
        few = max(1, self.slots // 8)
        while self.waiting and (free := self.slots - len(self.active)) >= min(few, len(self.waiting)):
            taken = [self.waiting.pop() for _ in range(min(free, len(self.waiting)))]
            self._read({tuple(row.prompt) for row in taken} - self._prefixes.keys())
            for prompt, group in groupby(taken, key=lambda row: tuple(row.prompt)):
                ended += self._begin(self._prefixes[prompt], list(group))
            following = tuple(self.waiting[-1].prompt) if self.waiting else None
            self._prefixes = {key: one for key, one in self._prefixes.items() if key == following}
        return ended

    def _read(self, prompts: set[tuple[int, ...]]) -> None:
        """Read prompts that are new, those of like length together, padded on the right."""
        most = _PASS_TOKENS.get(self.device.type, 1024)
        group: list[tuple[int, ...]] = []
        for prompt in sorted(prompts, key=lambda ids: (-len(ids), ids)):
            if group and (len(group) + 1) * len(group[0]) > most:
                self._read_together(group)
                group = []
            group.append(prompt)
        if group:
            self._read_together(group)

    def _read_together(self, prompts: list[tuple[int, ...]]) -> None:
        width = max(map(len, prompts))
        ids = torch.tensor([[*p, *[self.pad_id] * (width - len(p))] for p in prompts], device=self.device)
        # Under causal attention no token sees the padding behind it, so no mask is needed.
        cache = DynamicCache()
        last = sorted({len(prompt) - 1 for prompt in prompts})
        output = self.model(
            input_ids=ids,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.tensor(last, device=self.device),
        )
        layers: list[Any] = list(cache.layers)
        for at, prompt in enumerate(prompts):
            states = tuple(
                (layer.keys[at, :, : len(prompt)], layer.values[at, :, : len(prompt)]) for layer in layers
            )
            logits = output.logits[at, last.index(len(prompt) - 1)].float()
            self._prefixes[prompt] = Prefix(states, logits)

    def _begin(self, prefix: Prefix, rows: list[Row]) -> list[Row]:
        """Draw the first token of rows of one prompt and give each that goes on a slot."""
        for row in rows:
            self._random[id(row)] = random.Random(row.seed)
        logits = prefix.logits.expand(len(rows), -1)
        tokens = self._draw(logits, rows)
        open_rows = [row for row, token in zip(rows, tokens, strict=True) if self._take(row, token)]
        if open_rows:
            first, count = len(self.active), len(open_rows)
            slots = torch.arange(first, first + count, device=self.device)
            for layer, (keys, values) in zip(self.cache.slot_layers, prefix.states, strict=True):
                layer.put(slots, keys, values)
            self.lengths[slots] = len(rows[0].prompt)
            self.last[slots] = torch.tensor([row.tokens[-1] for row in open_rows], device=self.device)
            self.active += open_rows
        return [row for row in rows if row.ended]

    def _step(self) -> list[Row]:
        """One token more for every row that has a slot; the rows that end with it."""
        count = len(self.active)
        padded = -(-count // _ROW_STEP) * _ROW_STEP
        lengths = self.lengths[:padded].clone()
        lengths[count:] = 0
        output = self.model(
            input_ids=self.last[:padded, None],
            attention_mask=self.cache.place(lengths),
            position_ids=lengths[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        rows = list(self.active)
        tokens = self._draw(output.logits[:count, -1].float(), rows)
        self.lengths[:count] += 1
        self.last[:count] = torch.tensor(tokens, device=self.device)
        ended = [
            slot
            for slot, (row, token) in enumerate(zip(rows, tokens, strict=True))
            if not self._take(row, token)
        ]
        for slot in reversed(ended):
            self._leave(slot)
        return [rows[slot] for slot in ended]

    def _draw(self, logits: Tensor, rows: list[Row]) -> list[int]:
        return draw_tokens(logits, [row.sampling for row in rows], [self._random[id(row)] for row in rows])

    def _take(self, row: Row, token: int) -> bool:
        """Add a token to a row; whether it goes on."""
        if token in self.ends:
            row.ended, row.end = "eos", token
        else:
            row.tokens.append(token)
            if len(row.tokens) >= row.sampling.max_new_tokens:
                row.ended = "length"
        if row.ended:
            del self._random[id(row)]
        return not row.ended

    def _leave(self, slot: int) -> None:
        """Free a slot; the last one moves into it, so that those in use stay the first."""
        last = len(self.active) - 1
        if slot != last:
            length = int(self.lengths[last])
            for layer in self.cache.slot_layers:
                layer.move(last, slot, length)
            self.lengths[slot] = self.lengths[last]
            self.last[slot] = self.last[last]
            self.active[slot] = self.active[last]
        self.active.pop()
