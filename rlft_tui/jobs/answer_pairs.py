"""Both answers to a batch of prompts, and the pairs they make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

from rlft_tui.ids import derived_id
from rlft_tui.jobs.decoding import Decoding, Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.model_loading import AdapterBase, choose_dtype
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message
from rlft_tui.runs.specs.base import ModelSource, Sampling
from rlft_tui.runs.specs.generate import GenerateSpec, GenerationPrompt

Answers = dict[tuple[str, str], Row]
"""Finished rows by (prompt id, side)."""


def load_bases(spec: GenerateSpec, device: str) -> dict[str, AdapterBase]:
    """Every base once, with the adapters that the two sides need."""
    bases: dict[str, AdapterBase] = {}
    for source in (spec.model_a, spec.model_b):
        if source.path not in bases:
            bases[source.path] = AdapterBase(source.path, choose_dtype(spec.precision, device), device)
        bases[source.path].load(source.adapter)
    return bases


def sides(spec: GenerateSpec) -> Iterator[tuple[str, ModelSource, Sampling]]:
    yield "a", spec.model_a, spec.sampling_a
    yield "b", spec.model_b, spec.sampling_b


def answer_batch(
    spec: GenerateSpec,
    bases: dict[str, AdapterBase],
    batch: list[GenerationPrompt],
    should_stop: Callable[[], bool],
) -> Answers | None:
    """Both answers to every prompt of a batch; None when a stop was asked for meanwhile.

    Sides that come from the same weights are written in one batch.
    """
    groups: dict[tuple[str, str], Answers] = {}
    for side, source, sampling in sides(spec):
        tokenizer = bases[source.path].tokenizer
        rows = groups.setdefault((source.path, source.adapter), {})
        for prompt in batch:
            messages = [*map(dict, prompt.context), {"role": "user", "content": prompt.prompt}]
            rows[prompt.id, side] = Row(
                prompt_ids(tokenizer, messages), sampling, derived_seed(spec.seed, prompt.id, side)
            )
    answers: Answers = {}
    for (path, adapter), rows in groups.items():
        base = bases[path]
        base.select(adapter)
        with torch.inference_mode():
            ends = end_ids(base.model, base.tokenizer)
            decoding = Decoding(base.model, list(rows.values()), ends, base.tokenizer.pad_token_id)
            while decoding.open:
                if should_stop():
                    return None
                decoding.step()
        answers.update(rows)
    return answers


def make_pair(
    spec: GenerateSpec, prompt: GenerationPrompt, answers: Answers, bases: dict[str, AdapterBase]
) -> ResponsePair:
    texts = {}
    settings = {}
    for side, source, sampling in sides(spec):
        row = answers[prompt.id, side]
        texts[side] = answer_text(bases[source.path].tokenizer, row)
        settings[side] = {
            **sampling.model_dump(mode="json"),
            "seed": row.seed,
            "tokens": len(row.tokens),
            "cut": row.ended == "length",
        }
    return ResponsePair(
        id=derived_id(spec.id, prompt.id),
        prompt=prompt.prompt,
        response_a=texts["a"],
        response_b=texts["b"],
        model_a=spec.model_a.name,
        model_b=spec.model_b.name,
        category=prompt.category,
        source=f"run:{spec.id}",
        context=tuple(Message(**turn) for turn in prompt.context),  # type: ignore[arg-type]
        settings=settings,
        created_at=time.time(),
    )
