"""Measures a model on the items of one task, some at a time, whatever kind the task is of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rlft_tui.datasets.rows import CompletionRow
from rlft_tui.errors import RlftError
from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.sandbox.sandbox import run_programs
from rlft_tui.evaluations.suites.freeze import ID, FrozenTask
from rlft_tui.evaluations.suites.prompts import choice_texts, filled, messages_of, right_choice, shown
from rlft_tui.evaluations.suites.score import (
    blank,
    limits_of,
    programs,
    score_accuracy,
    score_code,
    score_safety,
)
from rlft_tui.evaluations.suites.tasks import (
    AccuracyTask,
    ChoiceTask,
    CodeTask,
    PerplexityTask,
    SafetyTask,
    TextTask,
)
from rlft_tui.jobs.conversation_tokens import conversation_tokens
from rlft_tui.jobs.decoding import prompt_ids
from rlft_tui.jobs.evaluation.subject import Subject
from rlft_tui.jobs.evaluation.texts import TextScorer
from rlft_tui.jobs.scoring import Scored

_BLOCK = 4
"""Batches of items between two writes."""


class Measurement:
    """One suite and one model."""

    def __init__(self, suite: str, subject: Subject, *, texts: TextScorer | None = None) -> None:
        """``texts`` scores the answers of text tasks; without it only their lengths are told."""
        self.suite = suite
        self.subject = subject
        self.texts = texts or TextScorer()

    def items(self, task: FrozenTask, rows: Sequence[dict[str, Any]]) -> Iterator[list[Item]]:
        """Finished items of these rows, block by block, in their order."""
        spec = task.spec
        size = self.subject.batch_size * _BLOCK
        if isinstance(spec, CodeTask | TextTask):
            size = max(1, size // spec.samples)
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            if isinstance(spec, AccuracyTask | SafetyTask):
                yield self._answered(spec, task.settings, block)
            elif isinstance(spec, CodeTask):
                yield self._programmed(spec, task.settings, block)
            elif isinstance(spec, TextTask):
                yield self._written(spec, task.settings, block)
            elif isinstance(spec, ChoiceTask):
                yield self._chosen(spec, task.settings, block)
            elif isinstance(spec, PerplexityTask):
                yield self._read(spec, task.settings, block)
            else:
                raise RlftError(f"tasks of kind {spec.kind} are not measured here", where=f"task {spec.name}")

    def _answered(
        self, spec: AccuracyTask | SafetyTask, settings: str, rows: Sequence[dict[str, Any]]
    ) -> list[Item]:
        asked = [(f"{spec.name}/{row[ID]}", messages_of(spec, row)) for row in rows]
        answers = self.subject.answers(asked, spec.sampling, stop=spec.stop)
        made = []
        for row, answer in zip(rows, answers, strict=True):
            about = blank(self.suite, spec, settings, row)
            if isinstance(spec, AccuracyTask):
                item = score_accuracy(spec, row, answer.text, about)
            else:
                item = score_safety(spec, row, answer.text, about)
            item.parts.update(tokens=answer.tokens, ended=answer.ended)
            made.append(item)
        return made

    def _programmed(self, spec: CodeTask, settings: str, rows: Sequence[dict[str, Any]]) -> list[Item]:
        asked = [
            (f"{spec.name}/{row[ID]}/{n}", messages_of(spec, row))
            for row in rows
            for n in range(spec.samples)
        ]
        answers = self.subject.answers(asked, spec.sampling, stop=spec.stop, plain=spec.style == "completion")
        texts = [answer.text for answer in answers]
        of_row = [texts[at : at + spec.samples] for at in range(0, len(texts), spec.samples)]
        made = [
            program for row, own in zip(rows, of_row, strict=True) for program in programs(spec, row, own)
        ]
        ended = run_programs(made, limits_of(spec))
        return [
            score_code(
                spec,
                row,
                own,
                ended[at * spec.samples : (at + 1) * spec.samples],
                blank(self.suite, spec, settings, row),
            )
            for at, (row, own) in enumerate(zip(rows, of_row, strict=True))
        ]

    def _written(self, spec: TextTask, settings: str, rows: Sequence[dict[str, Any]]) -> list[Item]:
        asked = [(row, n, messages_of(spec, row)) for row in rows for n in range(spec.samples)]
        keyed = [(f"{spec.name}/{row[ID]}/{n}", messages) for row, n, messages in asked]
        answers = self.subject.answers(keyed, spec.sampling, stop=spec.stop)
        scored = self.texts.scores(
            spec,
            [row for row, _, _ in asked],
            [messages for _, _, messages in asked],
            [one.text for one in answers],
        )
        made = []
        for (row, n, _), answer, (scores, parts) in zip(asked, answers, scored, strict=True):
            about = blank(self.suite, spec, settings, row)
            if spec.samples > 1:
                about["item"] = f"{about['item']}#{n}"
            parts = {**parts, "ended": answer.ended, "answer_tokens": answer.tokens}
            made.append(Item(**about, output=answer.text, scores=scores, parts=parts))
        return made

    def _chosen(self, spec: ChoiceTask, settings: str, rows: Sequence[dict[str, Any]]) -> list[Item]:
        items: list[Scored] = []
        for row in rows:
            items += [self._choice(spec, row, text) for text in choice_texts(spec, row)]
        nats = iter(self.subject.nats(items))
        made = []
        for row in rows:
            texts, right = choice_texts(spec, row), right_choice(spec, row)
            logps = [-next(nats) for _ in texts]
            per_character = [value / max(1, len(text)) for value, text in zip(logps, texts, strict=True)]
            best, best_norm = _first_best(logps), _first_best(per_character)
            made.append(
                Item(
                    suite=self.suite,
                    task=spec.name,
                    item=str(row[ID]),
                    prompt=shown(messages_of(spec, row)),
                    output=texts[best],
                    expected=texts[right],
                    scores={"accuracy": float(best == right), "accuracy_norm": float(best_norm == right)},
                    parts={"choices": texts, "logps": [round(value, 4) for value in logps]},
                    settings=settings,
                )
            )
        return made

    def _choice(self, spec: ChoiceTask, row: dict[str, Any], text: str) -> Scored:
        tokenizer = self.subject.tokenizer
        if spec.chat:
            prompt = prompt_ids(tokenizer, messages_of(spec, row))
            answer = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        else:
            # As lm-evaluation-harness does: both together, for a space belongs to the word behind it.
            before = filled(spec, row).rstrip()
            whole = list(tokenizer(f"{before} {text}")["input_ids"])
            cut = len(tokenizer(before)["input_ids"])
            prompt, answer = whole[:cut], whole[cut:]
        if not prompt or not answer:
            raise RlftError(f"item {row[ID]} has an empty prompt or choice", where=f"task {spec.name}")
        room = self.subject.longest - len(answer)
        return Scored(prompt[-max(1, room) :], answer)

    def _read(self, spec: PerplexityTask, settings: str, rows: Sequence[dict[str, Any]]) -> list[Item]:
        parts = [windows_of(self.subject.tokenizer, spec, row, self.subject.longest) for row in rows]
        nats = iter(self.subject.nats([window for windows, _ in parts for window in windows]))
        made = []
        for row, (windows, text) in zip(rows, parts, strict=True):
            total = math.fsum(next(nats) for _ in windows)
            tokens = sum(len(window.answer) for window in windows)
            size = len(text.encode("utf-8", "replace"))
            scores: dict[str, float | None] = {
                "perplexity": math.exp(min(total / tokens, 700.0)) if tokens else None
            }
            known: dict[str, Any] = {"nats": total, "tokens": tokens}
            if spec.over == "text" and tokens and size:
                scores["bits_per_byte"] = total / math.log(2) / size
                known |= {"bits": total / math.log(2), "bytes": size}
            made.append(
                Item(
                    suite=self.suite,
                    task=spec.name,
                    item=str(row[ID]),
                    prompt=text[:2000],
                    scores=scores,
                    parts=known,
                    error="" if tokens else "too short: no token has one before it",
                    settings=settings,
                )
            )
        return made


def windows_of(
    tokenizer: Any, spec: PerplexityTask, row: dict[str, Any], longest: int
) -> tuple[list[Scored], str]:
    """What is scored of one row, each token once, and the row as text.

    A text's first token has nothing before it and is not scored. A text longer than max_length is
    read in windows, whose first tokens are context; the last one has as much of it as fits.
    """
    most = min(spec.max_length, longest)
    if spec.over == "assistant":
        conversation = _conversation(spec, row)
        tokens = conversation_tokens(tokenizer, conversation)
        ids = tokens.ids[:most]
        spans = [(begin, min(end, len(ids))) for begin, end in tokens.answers() if 0 < begin < len(ids)]
        return [Scored(ids[:begin], ids[begin:end]) for begin, end in spans], shown(
            [*conversation.prompt, *conversation.completion]
        )
    text = row.get(spec.text)
    if not isinstance(text, str):
        raise RlftError(f"item {row[ID]} has no {spec.text}", where=f"task {spec.name}")
    ids = list(tokenizer(text)["input_ids"])
    stride = min(spec.stride or most - 1, most - 1)
    windows = []
    done = 1
    while done < len(ids):
        end = min(len(ids), most if done == 1 else done + stride)
        windows.append(Scored(ids[max(0, end - most) : done], ids[done:end]))
        done = end
    return windows, text


def _conversation(spec: PerplexityTask, row: dict[str, Any]) -> CompletionRow:
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        split = next((at for at, turn in enumerate(messages) if turn.get("role") == "assistant"), 0)
        if split:
            return CompletionRow(prompt=messages[:split], completion=messages[split:])
    prompt, completion = row.get("prompt"), row.get("completion")
    prompt = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    completion = [{"role": "assistant", "content": completion}] if isinstance(completion, str) else completion
    if not prompt or not completion:
        raise RlftError(f"item {row[ID]} has no prompt and completion", where=f"task {spec.name}")
    return CompletionRow(prompt=prompt, completion=completion)


def _first_best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda at: (values[at], -at))
