"""Answers by transformers: bases in memory, and on each the batches that are being written."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from rlft_tui.jobs.answer_batch import AnswerBatch, AnswerRow, Held
from rlft_tui.jobs.answer_side import Side
from rlft_tui.jobs.answer_text import AnswerText
from rlft_tui.jobs.decoding import prompt_ids
from rlft_tui.jobs.mixed_adapters import MixedBase
from rlft_tui.jobs.model_loading import choose_device, choose_dtype
from rlft_tui.runs.specs.base import ModelSource

Loading = Callable[[str], None]
"""Told the name of a model that takes a while."""


class TorchAnswers:
    """Sides on the same base are one batch, with or without adapters."""

    def __init__(self) -> None:
        self._bases: dict[str, MixedBase] = {}
        self._batches: dict[tuple[str, str], AnswerBatch] = {}
        self._sides: dict[AnswerRow, Side] = {}
        self._next = 0

    @property
    def is_busy(self) -> bool:
        return bool(self._sides)

    def load(self, sources: Sequence[ModelSource], loading: Loading) -> None:
        """Have these in memory; bases that nobody uses make room."""
        wanted = {source.path: source.name for source in sources}
        missing = [path for path in wanted if path not in self._bases]
        if missing:
            in_use = {side.asked.model.path for side in self._sides.values()}
            for path in [path for path in self._bases if path not in wanted and path not in in_use]:
                del self._bases[path]
                self._batches = {key: batch for key, batch in self._batches.items() if key[0] != path}
            gc.collect()
        for path in missing:
            loading(wanted[path])
            device = choose_device()
            base = MixedBase(path, choose_dtype("auto", device), device)
            self._bases[path] = base
            _first_pass(base)
        for source in sources:
            used = {side.asked.model.adapter for side in self._sides.values()}
            self._bases[source.path].load(source.adapter, used | {each.adapter for each in sources})

    def begin(self, sides: Sequence[Side], loading: Loading) -> None:
        """Have these written from the next step on, all of them or, after an RlftError, none."""
        self.load([side.asked.model for side in sides], loading)
        rows = []
        for side in sides:
            source = side.asked.model
            tokenizer = self._bases[source.path].tokenizer
            prompt = prompt_ids(tokenizer, [dict(turn) for turn in side.asked.messages])
            side.prompt_tokens = len(prompt)
            side.text = AnswerText(tokenizer, side.stop)
            rows.append(
                AnswerRow(prompt, side.asked.sampling, side.asked.seed, source.adapter, side.probabilities)
            )
        groups: dict[tuple[str, str], list[AnswerRow]] = {}
        for side, row in zip(sides, rows, strict=True):
            path = side.asked.model.path
            groups.setdefault((path, self._bases[path].batch_of(row.adapter)), []).append(row)
            side.started = time.monotonic()
        for key, group in groups.items():
            self._batch(key).check(group)
        for key, group in groups.items():
            self._batch(key).join(group)
        self._sides |= dict(zip(rows, sides, strict=True))

    def _batch(self, key: tuple[str, str]) -> AnswerBatch:
        if key not in self._batches:
            self._batches[key] = AnswerBatch(self._bases[key[0]])
        return self._batches[key]

    def step(self) -> tuple[list[Side], str]:
        """A step of the batch whose turn it is: the sides that got on, and the line of what went wrong."""
        busy = [batch for batch in self._batches.values() if len(batch)]
        if not busy:
            return [], ""
        self._next = (self._next + 1) % len(busy)
        batch = busy[self._next]
        try:
            rows = batch.step()
        except Exception as error:
            failed = batch.all_rows()
            batch.clear()
            return [self._sides.pop(row) for row in failed], _line(error)
        return [self._got_on(batch, row) for row in rows], ""

    def _got_on(self, batch: AnswerBatch, row: AnswerRow) -> Side:
        side = self._sides[row]
        held = [_as_sent(batch.base.tokenizer, one) for one in row.held]
        row.held.clear()
        if row.ended != "eos":
            side.added(row.tokens[-1], held.pop(0) if held else None)
        if side.ended:
            batch.leave([row])
        side.ended = side.ended or row.ended
        if side.ended:
            side.end(held.pop(0) if held else None)
            del self._sides[row]
        return side

    def cancel(self, request: str) -> None:
        leaving = [row for row, side in self._sides.items() if side.request == request]
        for batch in self._batches.values():
            batch.leave(leaving)
        for row in leaving:
            del self._sides[row]


def _first_pass(base: MixedBase) -> None:
    """One token for nobody: kernels are chosen and weights are paged in before somebody waits for it."""
    ids = torch.tensor([[base.tokenizer.pad_token_id]] * 2, device=base.device)
    with torch.inference_mode():
        base.model(input_ids=ids, use_cache=False)


def _as_sent(tokenizer: Any, held: Held) -> dict[str, Any]:
    top = [[str(tokenizer.decode([token])), probability] for token, probability in held.top]
    return {"probability": held.probability, "top": top}


def _line(error: Exception) -> str:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return "out of memory: ask for fewer sides, fewer tokens, or a smaller model"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
