"""The proof: the export answers fixed prompts, and is held against what the original answered.

The original's greedy answers are written first. Then original and export each see prompt and answer and
give their logits at every token of it: so one differing token does not make all that follow differ, and
the shares mean the same for every format.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlft_tui.jobs.decoding import prompt_ids
from rlft_tui.jobs.export.engines import Engine, Logits
from rlft_tui.jobs.export.prompts import PROMPTS
from rlft_tui.models.exports import Proof

AGREEMENT_WANTED: dict[str, float] = {
    "fp32": 0.99,
    "fp16": 0.97,
    "bf16": 0.90,
    "f16": 0.97,
    "q8_0": 0.90,
    "q5_1": 0.80,
    "q4_k_m": 0.70,
    "q4_1": 0.70,
    "q4_0": 0.60,
}
"""Least share of equal next tokens, by what the weights are held in (docs/decisions/041)."""
_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """What the original does, kept while the export is read in its place."""

    prompts: list[list[int]]
    texts: list[str]
    """The prompts through the chat template."""
    answers: list[list[int]]
    logits: list[Logits]
    """Of each answer, and of what follows it: (tokens + 1, vocabulary)."""
    tokens_per_second: float
    template: str
    ends: frozenset[int]


def measure_reference(
    engine: Engine, tokenizer: Any, ends: frozenset[int], *, prompts: int, tokens: int
) -> Reference:
    """Have the original answer, and take its logits."""
    asked = [[{"role": "user", "content": text}] for text in PROMPTS[:prompts]]
    ids = [prompt_ids(tokenizer, messages) for messages in asked]
    answers = engine.greedy(ids, tokens)
    return Reference(
        prompts=ids,
        texts=[
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            for messages in asked
        ],
        answers=answers,
        logits=[engine.logits([*p, *a], len(p) - 1) for p, a in zip(ids, answers, strict=True)],
        tokens_per_second=_speed(engine, ids, tokens),
        template=str(tokenizer.chat_template),
        ends=ends,
    )


@dataclass(frozen=True, slots=True)
class ExportedTokenizer:
    """What the export says of its own tokenizer."""

    template: str
    ends: frozenset[int]
    prompts: list[list[int]]
    """The fixed prompts as it reads them."""


def prove(
    reference: Reference,
    engine: Engine,
    tokenizer: ExportedTokenizer,
    original_tokenizer: Any,
    *,
    held_in: Sequence[str],
    tokens: int,
    note: str = "",
) -> Proof:
    """Compare. ``held_in``: what the export's weights are held in and what both are computed in, keys of
    AGREEMENT_WANTED: the coarsest of them says how much agreement there can be."""
    answers = engine.greedy(reference.prompts, tokens)
    same_next = total = 0
    largest, divergence = 0.0, 0.0
    for prompt, answer, expected in zip(reference.prompts, reference.answers, reference.logits, strict=True):
        found = engine.logits([*prompt, *answer], len(prompt) - 1)
        width = min(found.shape[1], expected.shape[1])  # some formats pad the vocabulary
        found, wanted = found[:, :width], expected[:, :width]
        same_next += int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
        total += len(wanted)
        largest = max(largest, float(np.abs(found - wanted).max()))
        divergence += float(_divergence(wanted, found).sum())
    same = [a == b for a, b in zip(answers, reference.answers, strict=True)]
    agreement = same_next / total
    same_tokens = tokenizer.prompts == reference.prompts
    wanted_share = min(AGREEMENT_WANTED[each] for each in held_in)
    faults = _faults(reference, tokenizer, agreement, wanted_share, largest)
    return Proof(
        engine=engine.name,
        prompts=len(reference.prompts),
        same_template=tokenizer.template == reference.template,
        same_end=tokenizer.ends == reference.ends,
        same_tokens=same_tokens,
        greedy_agreement=sum(same) / len(same),
        top_token_agreement=agreement,
        max_logit_difference=largest,
        mean_kl=divergence / total,
        tokens_per_second=_speed(engine, reference.prompts, tokens),
        original_tokens_per_second=reference.tokens_per_second,
        agreement_wanted=wanted_share,
        faults=faults,
        samples=tuple(
            {
                "prompt": PROMPTS[at],
                "original": original_tokenizer.decode(reference.answers[at], skip_special_tokens=True),
                "export": original_tokenizer.decode(answers[at], skip_special_tokens=True),
            }
            for at in range(min(_SAMPLES, len(answers)))
        ),
        note=note,
    )


def _faults(
    reference: Reference, tokenizer: ExportedTokenizer, agreement: float, wanted: float, largest: float
) -> tuple[str, ...]:
    faults = []
    if tokenizer.template != reference.template:
        faults.append("the chat template is another one")
    if tokenizer.ends != reference.ends:
        ends = _listed(tokenizer.ends), _listed(reference.ends)
        faults.append(f"an answer ends with token {ends[0]}, in the original with {ends[1]}")
    wrong = sum(a != b for a, b in zip(tokenizer.prompts, reference.prompts, strict=True))
    if wrong:
        faults.append(f"{wrong} of {len(reference.prompts)} prompts become other tokens")
    if not np.isfinite(largest):
        faults.append("its logits are not finite")
    if agreement < wanted:
        faults.append(
            f"it chooses the original's next token in {agreement:.1%} of the places, wanted {wanted:.0%}"
        )
    return tuple(faults)


def _listed(ids: frozenset[int]) -> str:
    return ", ".join(str(each) for each in sorted(ids)) or "none"


def _divergence(expected: Logits, found: Logits) -> Any:
    """KL(expected ‖ found) of each row, nats."""
    p, q = _log_softmax(expected), _log_softmax(found)
    return (np.exp(p) * (p - q)).sum(axis=1)


def _log_softmax(logits: Logits) -> Any:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _speed(engine: Engine, prompts: Sequence[Sequence[int]], tokens: int) -> float:
    """Tokens a second of one answer after another; the first two prompts are enough."""
    began = time.perf_counter()
    written = sum(len(engine.greedy([prompt], tokens)[0]) + 1 for prompt in prompts[:2])
    return written / (time.perf_counter() - began)
