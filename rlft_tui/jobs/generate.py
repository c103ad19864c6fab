"""Two answers to each prompt: ``python -m rlft_tui.jobs.generate RUN_DIR``.

Reads ``run.toml`` and ``prompts.jsonl``, appends one ResponsePair a line to
``pairs.jsonl``. Prompts are cut into the same batches whatever is done already,
every pair's id follows from run and prompt, and a line counts once it ends with
a newline: a job killed at any moment goes on without a gap or a repeat, and
(on the same machine and thread count) with the text it would have written.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.ids import derived_id
from rlft_tui.jobs.decoding import Decoding, Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.jobs.model_loading import (
    AdapterBase,
    choose_device,
    choose_dtype,
    device_name,
    peak_memory_mb,
    set_threads,
)
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message
from rlft_tui.runs.run_spec import GenerateSpec, GenerationPrompt, ModelSource

Answers = dict[tuple[str, str], Row]
"""Finished rows by (prompt id, side)."""


def generate(job: Job, spec: GenerateSpec) -> int:
    set_threads(spec.threads)
    device = choose_device()
    prompts = read_prompts(job.folder.root / spec.prompts)
    done = repair_pairs(job.folder.pairs)
    wanted = [prompt for prompt in prompts if derived_id(spec.id, prompt.id) not in done]
    finished = len(prompts) - len(wanted)
    job.started(spec, len(prompts), device_name(device))
    if not wanted:
        job.log.write("end", status="finished", pairs=str(job.folder.pairs))
        return 0

    job.stage("loading", detail=spec.model_a.name)
    bases = load_bases(spec, device)
    pending = {prompt.id for prompt in wanted}
    batches = [prompts[start : start + spec.batch_size] for start in range(0, len(prompts), spec.batch_size)]
    job.stage("generating", progress=finished / len(prompts))
    with job.folder.pairs.open("ab") as output:
        for batch in batches:
            if not any(prompt.id in pending for prompt in batch):
                continue
            began = time.monotonic()
            answers = answer_batch(job, spec, bases, batch)
            if answers is None:
                job.log.write("control", asked=job.stop.asked, done=f"stopped after {finished} pairs")
                job.log.write("end", status="stopped", pairs=str(job.folder.pairs))
                say(f"stopped after {finished} of {len(prompts)} pairs")
                return 0
            for prompt in batch:
                if prompt.id in pending:
                    append_pair(output, make_pair(spec, prompt, answers, bases))
                    finished += 1
            tokens = sum(len(row.tokens) for row in answers.values())
            report(job, finished, len(prompts), tokens / (time.monotonic() - began))
    job.log.write("end", status="finished", pairs=str(job.folder.pairs))
    return 0


def read_prompts(path: Path) -> list[GenerationPrompt]:
    """The run's prompts, in file order; RlftError names the first line that is none."""
    if not path.is_file():
        raise NotFoundError("no prompts file", where=str(path))
    prompts: dict[str, GenerationPrompt] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            prompt = GenerationPrompt.model_validate_json(line)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise RlftError(f"not a prompt: {reason}", where=f"{path}:{number}") from None
        prompts.setdefault(prompt.id, prompt)
    if not prompts:
        raise RlftError("no prompts to answer", where=str(path))
    return list(prompts.values())


def repair_pairs(path: Path) -> set[str]:
    """Cut a half-written last line off and return the ids of the pairs that stand."""
    if not path.is_file():
        return set()
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return {str(json.loads(line)["id"]) for line in content[:whole].splitlines() if line.strip()}


def load_bases(spec: GenerateSpec, device: str) -> dict[str, AdapterBase]:
    """Every base once, with the adapters that the two sides need."""
    bases: dict[str, AdapterBase] = {}
    for source in (spec.model_a, spec.model_b):
        if source.path not in bases:
            bases[source.path] = AdapterBase(source.path, choose_dtype(spec.precision, device), device)
        bases[source.path].load(source.adapter)
    return bases


def sides(spec: GenerateSpec) -> Iterator[tuple[str, ModelSource, Any]]:
    yield "a", spec.model_a, spec.sampling_a
    yield "b", spec.model_b, spec.sampling_b


def answer_batch(
    job: Job, spec: GenerateSpec, bases: dict[str, AdapterBase], batch: list[GenerationPrompt]
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
                if job.stop.asked:
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


def append_pair(output: Any, pair: ResponsePair) -> None:
    """One line, on disk before the next begins."""
    output.write(json.dumps(asdict(pair), ensure_ascii=False).encode() + b"\n")
    output.flush()
    os.fsync(output.fileno())


def report(job: Job, finished: int, total: int, rate: float) -> None:
    job.log.metrics(
        finished,
        {"tokens_per_second": rate},
        {"tokens_per_second": "tokens/s"},
        steps=total,
        memory_mb=peak_memory_mb(),
    )
    job.stage("generating", progress=finished / total)
    say(f"{finished}/{total} pairs, {rate:.0f} tokens/s")


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], GenerateSpec, generate))
