"""Completions of prompts: ``python -m rlft_tui.jobs.completions RUN_DIR``.

Reads ``run.toml`` and ``prompts.jsonl``, appends one Completion a line to ``completions.jsonl``, and
writes the file that the spec names when all is done. The texts are cut into the same blocks whatever
is done already, and a block's lines are written together when it is done: a job killed at any moment
goes on without a gap or a repeat, and (on the same machine and thread count) with the texts it would
have written. The random numbers of a text follow from the seed, the conversation and its own place
(completion, candidate) alone, so that a larger n, another order or another file draws them again.
A prompt that leaves no room for an answer in the model's context is left out, and told.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlft_tui.jobs.generate import read_prompts
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.samples.completion import Completion, append_completions, repair_completions

if TYPE_CHECKING:
    from rlft_tui.jobs.completion_blocks import Block, Writer
    from rlft_tui.runs.specs.generate import GenerationPrompt

PLAN = "plan.json"
LEFT_OUT = "prompt left out"
_NAMED = 5
"""Prompts that one message names."""
_REPORT_SECONDS = 1.0


def complete(job: Job, spec: CompletionsSpec) -> int:
    prompts = read_prompts(job.folder.root / spec.prompts)
    there = repair_completions(job.folder.completions)
    plan = Plan.read(job.folder.root / PLAN)
    total = (len(prompts) - len(plan.left_out)) * spec.n
    progress = Progress(job, spec, total, finished=_whole(spec, there))

    job.stage("starting", detail="loading torch and transformers")
    from rlft_tui.jobs.completion_blocks import Writer, place_of
    from rlft_tui.jobs.completions_output import write_output
    from rlft_tui.jobs.model_loading import choose_device, device_name, set_threads

    set_threads(spec.threads)
    device = choose_device(spec.device)
    job.started(spec, total, device_name(device))
    if progress.finished < total:
        job.stage("loading", detail=spec.model.name)
        done = {place_of(spec, place) for place in there}
        writer = Writer(spec, prompts, job.folder, device, plan.slots)
        plan = Plan(writer.slots, tuple(prompt.id for prompt, _ in writer.left_out))
        plan.write(job.folder.root / PLAN)
        if writer.left_out:
            tell_left_out(job, spec, writer, prompts)
            total = progress.total = len(writer.prompts) * spec.n
        job.stage("generating", progress=progress.finished / total)
        with job.folder.completions.open("ab") as output:
            for block in writer.blocks():
                missing = writer.missing(block, done)
                if not missing:
                    continue
                if not _write(writer, block, progress):
                    where = str(job.folder.completions)
                    stopped = f"after {progress.finished} of {total} completions"
                    return job.stopped(stopped, completions=where)
                completions = writer.judge(block)
                append_completions(output, [one for one in completions if one.place in missing])
                progress.wrote(block, [one for one in completions if one.kept])
    if spec.output:
        job.stage("writing", detail=spec.output)
        write_output(job.folder, spec, prompts, Path(spec.output), spec.format)
    job.log.write("end", status="finished", completions=str(job.folder.completions), output=spec.output)
    left_out = f", {len(plan.left_out)} of {len(prompts)} prompts left out" if plan.left_out else ""
    say(f"finished: {total} completions in {spec.output or job.folder.completions}{left_out}")
    return 0


def tell_left_out(
    job: Job, spec: CompletionsSpec, writer: Writer, prompts: Sequence[GenerationPrompt]
) -> None:
    """Say which prompts are too long: each on a line of the output, all of them in one alarm of the run."""
    from rlft_tui.jobs.completion_blocks import SHORTEN

    lines = {prompt.id: line for line, prompt in enumerate(prompts, 1)}
    told = [f"prompt {lines[prompt.id]} ({len(ids):,} tokens)" for prompt, ids in writer.left_out]
    for one in told:
        say(f"left out: {one} {writer.beyond}")
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    which = ", ".join(told[:_NAMED]) + more
    message = f"{len(told)} of {len(prompts)} prompts left out: {which} {writer.beyond}"
    if LEFT_OUT not in job.raised_alarms():
        job.alarm(0, Alarm(LEFT_OUT, message, f"{SHORTEN}, then generate those again"))


def _whole(spec: CompletionsSpec, there: Collection[tuple[str, int, int]]) -> int:
    """Completions of which every line that belongs to them is on the disk."""
    lines = Counter(place[:2] for place in there)
    return sum(count >= (spec.best_of if spec.keep_all else 1) for count in lines.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen once, so that a resumed run cuts the same blocks."""

    slots: int = 0
    """Texts that are written at the same time; 0 when the run begins now."""
    left_out: tuple[str, ...] = ()
    """Ids of the prompts that are too long."""

    @classmethod
    def read(cls, path: Path) -> Plan:
        try:
            plan = json.loads(path.read_bytes())
            return cls(int(plan["slots"]), tuple(map(str, plan.get("left_out", ()))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def _write(writer: Writer, block: Block, progress: Progress) -> bool:
    """Write every text of a block; False when a stop was asked for meanwhile."""
    for tokens, texts in writer.write(block):
        if progress.job.stop.asked:
            return False
        progress.drew(tokens, texts)
    return True


class Progress:
    """What is told while texts are written: how many there are, how fast it goes, what they earn."""

    def __init__(self, job: Job, spec: CompletionsSpec, total: int, finished: int) -> None:
        self.job = job
        self.spec = spec
        self.total = total
        self.finished = finished
        """Completions on the disk."""
        self._texts = 0
        """Written in this block so far."""
        self._tokens = 0
        self._said = time.monotonic()
        self._rewards: list[float] = []

    def drew(self, tokens: int, texts: int) -> None:
        """A step has drawn so many tokens, and so many texts ended with it."""
        self._tokens += tokens
        self._texts += texts
        if time.monotonic() - self._said >= _REPORT_SECONDS:
            self._tell(min(self.finished + self._texts // self.spec.best_of, self.total))

    def wrote(self, block: Block, kept: Sequence[Completion]) -> None:
        """A block is on the disk."""
        self.finished += block.new
        self._texts = 0
        self._rewards += [one.reward for one in kept if one.reward is not None]
        self._samples(kept)
        self._tell(self.finished)
        say(f"{self.finished}/{self.total} completions")

    def _tell(self, step: int) -> None:
        from rlft_tui.jobs.model_loading import peak_memory_mb

        now = time.monotonic()
        values: dict[str, float] = {}
        if self._tokens and now > self._said:
            values["tokens_per_second"] = self._tokens / (now - self._said)
        if self._rewards:
            values["reward"] = sum(self._rewards) / len(self._rewards)
        self._tokens, self._said = 0, now
        units = {"tokens_per_second": "tokens/s", "reward": "mean of the kept"}
        self.job.log.metrics(step, values, units, steps=self.total, memory_mb=peak_memory_mb())
        self.job.stage("generating", progress=step / self.total)

    def _samples(self, kept: Sequence[Completion]) -> None:
        """One text of the block to look at; of rewarded ones the best and the worst."""
        judged = sorted((one for one in kept if one.reward is not None), key=lambda one: one.reward or 0.0)
        chosen = [("best", judged[-1]), ("worst", judged[0])] if judged else [("", kept[0])]
        for index, (of, one) in enumerate(chosen):
            more: dict[str, Any] = {"of": of, "reward": one.reward, "rewards": one.rewards} if of else {}
            self.job.log.write(
                "sample",
                step=self.finished,
                index=index,
                prompt=one.prompt,
                completion=one.text,
                tokens=one.tokens,
                **more,
            )


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], CompletionsSpec, complete))
