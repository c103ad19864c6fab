"""A judge on this machine: its next token is restricted to the verdicts, and their probabilities are read.

The question ends where the verdict begins ("Verdict:"), and the model's distribution over the next
token, cut down to the tokens with which the labels begin, is the answer: it always is a label, and
its probability says how sure the model is. Such a judge gives no reasons.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.judge.judgement import Judgement
from rlft_tui.evaluations.judge.messages import Call, question
from rlft_tui.evaluations.judge.verdict import LABELS
from rlft_tui.jobs.decoding import prompt_ids
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.judgement_log import JudgementLog
from rlft_tui.jobs.model_loading import AdapterBase, choose_device, choose_dtype, device_name, set_threads
from rlft_tui.runs.specs.judge import JudgeMode, JudgeSpec

LEADS: dict[JudgeMode, str] = {"pair": "Verdict:", "rating": "Rating:"}
"""How the model's turn begins; a label follows after a space."""


def ask_model(job: Job, spec: JudgeSpec, calls: Sequence[Call], log: JudgementLog, total: int) -> bool:
    """Ask every call, some at a time; False when a stop was asked for before the last one."""
    assert spec.model is not None
    set_threads(spec.threads)
    device = choose_device(spec.device)
    job.started(spec, total, device_name(device))
    if not calls:
        return True
    job.stage("loading", detail=spec.model.name)
    base = AdapterBase(spec.model.path, choose_dtype(spec.precision, device), device)
    base.select(spec.model.adapter)
    lead, firsts = label_tokens(base.tokenizer, LEADS[spec.mode], LABELS[spec.mode])
    # Longest first: what does not fit into memory fails at once, not in the middle.
    rows = sorted(
        ((question_ids(base, spec, call) + lead, call) for call in calls), key=lambda row: -len(row[0])
    )
    _check_room(base, len(rows[0][0]))
    try:
        for start in range(0, len(rows), spec.batch_size):
            if job.stop.asked:
                return False
            batch = rows[start : start + spec.batch_size]
            began = time.monotonic()
            chances = label_chances(base, [ids for ids, _ in batch], firsts)
            seconds = (time.monotonic() - began) / len(batch)
            for (ids, call), row in zip(batch, chances, strict=True):
                log.add(_judgement(spec, call, row, len(ids), seconds))
    finally:
        log.report()
    return True


def question_ids(base: AdapterBase, spec: JudgeSpec, call: Call) -> list[int]:
    """The question through the model's own chat template, up to its turn."""
    asked = question(spec.rubric.template, spec.rubric.criteria, call)
    messages = [{"role": "system", "content": spec.rubric.system}, {"role": "user", "content": asked}]
    return prompt_ids(base.tokenizer, messages if spec.rubric.system else messages[1:])


def label_tokens(tokenizer: Any, lead: str, labels: Sequence[str]) -> tuple[list[int], dict[str, int]]:
    """Tokens up to where the labels part, and the token with which each goes on.

    Encoded together with what stands before, because a tokenizer may join the space with the label.
    """
    encoded = {
        label: list(tokenizer(f"{lead} {label}", add_special_tokens=False)["input_ids"]) for label in labels
    }
    shared = 0
    shortest = min(map(len, encoded.values()))
    while shared < shortest - 1 and len({ids[shared] for ids in encoded.values()}) == 1:
        shared += 1
    firsts = {label: ids[shared] for label, ids in encoded.items()}
    if len(set(firsts.values())) < len(firsts):
        raise RlftError(
            "this model's tokenizer begins two verdicts with the same token",
            remedy="Judge with another model",
        )
    return next(iter(encoded.values()))[:shared], firsts


def label_chances(base: AdapterBase, rows: list[list[int]], firsts: dict[str, int]) -> list[dict[str, float]]:
    """Probability of each label as the next token, all other tokens left out; one dict a row."""
    width = max(map(len, rows))
    pad = base.tokenizer.pad_token_id or 0
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=base.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=base.device)
    with torch.inference_mode():
        output = base.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=1,
        )
    wanted = torch.tensor(list(firsts.values()), device=base.device)
    chances = torch.softmax(output.logits[:, -1, wanted].float(), dim=-1).tolist()
    return [dict(zip(firsts, row, strict=True)) for row in chances]


def _check_room(base: AdapterBase, tokens: int) -> None:
    room = getattr(base.model.config, "max_position_embeddings", None)
    if room is not None and tokens > room:
        raise RlftError(
            f"the longest question has {tokens} tokens, and the judge was made for {room}",
            remedy="Judge shorter answers, or with a model that reads more",
        )


def _judgement(
    spec: JudgeSpec, call: Call, chances: dict[str, float], tokens: int, seconds: float
) -> Judgement:
    label = max(chances, key=lambda one: chances[one])
    return Judgement(
        id=call.id,
        run_id=spec.id,
        item_id=call.item.id,
        first=call.first,
        status="parsed",
        label=label,
        answer=f"{LEADS[spec.mode]} {label}",
        chances={one: round(chance, 6) for one, chance in chances.items()},
        prompt_tokens=tokens,
        answer_tokens=1,
        seconds=seconds,
        judge=spec.name,
        rubric=spec.rubric.name,
        rubric_version=spec.rubric.version,
        rated=call.item.model_a if spec.mode == "rating" else "",
        created_at=time.time(),
    )
