"""Answers as texts: what rewards give them, and how fluent the base model finds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft_tui.evaluations.suites.freeze import ID
from rlft_tui.evaluations.suites.tasks import TextTask
from rlft_tui.jobs.decoding import prompt_ids
from rlft_tui.jobs.evaluation.subject import Subject
from rlft_tui.jobs.reward_functions import LoadModel, RunRewards
from rlft_tui.jobs.scoring import Scored
from rlft_tui.runs.specs.rewards import RewardPart

Messages = list[dict[str, str]]
Scores = tuple[dict[str, float | None], dict[str, Any]]


class TextScorer:
    """Scores of the answers of text tasks."""

    def __init__(
        self,
        parts: Sequence[RewardPart] = (),
        folder: Path | None = None,
        *,
        load_model: LoadModel | None = None,
        reference: Subject | None = None,
    ) -> None:
        """``parts``: the run's rewards, their models known; ``folder``: its copy of their files. No rewards
        are given without it."""
        self._parts = {part.model_copy(update={"model": None}).model_dump_json(): part for part in parts}
        self._folder = folder
        self._load_model = load_model
        self._reference = reference
        self._made: dict[str, RunRewards] = {}

    def scores(
        self,
        task: TextTask,
        rows: Sequence[Mapping[str, Any]],
        prompts: Sequence[Messages],
        answers: Sequence[str],
    ) -> list[Scores]:
        """Metrics and parts of each answer: its words, its rewards, whether it complies, its surprise."""
        found: list[Scores] = [({"words": float(len(answer.split()))}, {}) for answer in answers]
        if task.rewards and self._folder is not None:
            self._reward(task, rows, prompts, answers, found)
        if task.fluency and self._reference is not None:
            self._fluency(self._reference, prompts, answers, found)
        return found

    def _reward(
        self,
        task: TextTask,
        rows: Sequence[Mapping[str, Any]],
        prompts: Sequence[Messages],
        answers: Sequence[str],
        found: list[Scores],
    ) -> None:
        rewards = self._rewards(task)
        completions = [[{"role": "assistant", "content": answer}] for answer in answers]
        names = dict.fromkeys(name for row in rows for name in row if name not in (task.prompt, ID))
        columns = {name: [row.get(name) for row in rows] for name in names if name not in _TAKEN}
        ids = [list(answer.encode()) for answer in answers]
        given = rewards.reward(list(prompts), completions, ids, columns)
        for (scores, parts), one in zip(found, given, strict=True):
            scores["reward"] = one.total
            if len(rewards.names) > 1:
                scores |= {f"reward/{name}": value for name, value in one.parts.items()}
            if task.complies_from is not None:
                scores["compliance"] = None if one.total is None else float(one.total >= task.complies_from)
            parts["rewards"] = dict(one.parts)

    def _fluency(
        self, reference: Subject, prompts: Sequence[Messages], answers: Sequence[str], found: list[Scores]
    ) -> None:
        tokenizer = reference.tokenizer
        items, places = [], []
        for at, (messages, answer) in enumerate(zip(prompts, answers, strict=True)):
            ids = list(tokenizer(answer, add_special_tokens=False)["input_ids"])
            if ids:
                prompt = prompt_ids(tokenizer, messages)
                items.append(Scored(prompt, ids[: max(1, reference.longest - len(prompt))]))
                places.append(at)
        for at, item, nats in zip(places, items, reference.nats(items), strict=True):
            scores, parts = found[at]
            scores["fluency_perplexity"] = math.exp(min(nats / len(item.answer), 700.0))
            parts |= {"nats": nats, "tokens": len(item.answer)}

    def _rewards(self, task: TextTask) -> RunRewards:
        if task.name not in self._made:
            assert self._folder is not None
            assert self._load_model is not None
            known = tuple(self._parts.get(part.model_dump_json(), part) for part in task.rewards)
            self._made[task.name] = RunRewards(known, self._folder, load_model=self._load_model)
        return self._made[task.name]


_TAKEN = frozenset({"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric"})
