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
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.ids import derived_id
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.runs.specs.generate import GenerateSpec, GenerationPrompt


def generate(job: Job, spec: GenerateSpec) -> int:
    prompts = read_prompts(job.folder.root / spec.prompts)
    done = repair_pairs(job.folder.pairs)
    pending = {prompt.id for prompt in prompts if derived_id(spec.id, prompt.id) not in done}
    finished = len(prompts) - len(pending)

    job.stage("starting", detail="loading torch and transformers")
    from rlft_tui.jobs.answer_pairs import answer_batch, load_bases, make_pair
    from rlft_tui.jobs.model_loading import choose_device, device_name, set_threads

    set_threads(spec.threads)
    device = choose_device(spec.device)
    job.started(spec, len(prompts), device_name(device))
    if pending:
        job.stage("loading", detail=spec.model_a.name)
        bases = load_bases(spec, device)
        # Nothing is known of the pace before the first block is whole.
        block = min(spec.batch_size, len(prompts))
        job.stage(f"generating, first block of {block}", progress=finished / len(prompts))
    with job.folder.pairs.open("ab") as output:
        for start in range(0, len(prompts), spec.batch_size):
            batch = prompts[start : start + spec.batch_size]
            if not any(prompt.id in pending for prompt in batch):
                continue
            began = time.monotonic()
            answers = answer_batch(spec, bases, batch, lambda: bool(job.stop.asked))
            if answers is None:
                return job.stopped(f"after {finished} of {len(prompts)} pairs", pairs=str(job.folder.pairs))
            for prompt in batch:
                if prompt.id in pending:
                    append_pair(output, make_pair(spec, prompt, answers, bases))
                    finished += 1
            tokens = sum(len(row.tokens) for row in answers.values())
            report(job, finished, len(prompts), tokens / (time.monotonic() - began))
    job.log.write("end", status="finished", pairs=str(job.folder.pairs))
    say(f"finished: {finished} pairs in {job.folder.pairs}")
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


def append_pair(output: Any, pair: ResponsePair) -> None:
    """One line, on disk before the next begins."""
    output.write(json.dumps(msgspec.to_builtins(pair), ensure_ascii=False).encode() + b"\n")
    output.flush()
    os.fsync(output.fileno())


def report(job: Job, finished: int, total: int, rate: float) -> None:
    from rlft_tui.jobs.model_loading import peak_memory_mb

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
