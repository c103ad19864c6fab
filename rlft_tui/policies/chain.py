"""The two runs that make a version of a policy: a reward model on the scores, then PPO against it."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_run_id
from rlft_tui.policies.training_config import TrainingConfig, ppo_values, reward_values
from rlft_tui.record import Record
from rlft_tui.runs.specs.base import ModelSource

LEAST_FEEDBACK = 10
"""Scores below which nothing is trained."""
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}")
_HELD_OUT = 0.2
"""Share of the prompts whose scores the reward model is measured on."""


class ScoreSummary(Record, frozen=True):
    """The scores that a policy would be trained on."""

    count: int
    mean: float
    std: float
    """Population standard deviation."""

    @staticmethod
    def of(scores: Sequence[float]) -> ScoreSummary:
        """Of none it is all zero."""
        if not scores:
            return ScoreSummary(0, 0.0, 0.0)
        return ScoreSummary(len(scores), statistics.fmean(scores), statistics.pstdev(scores))


class Chain(Record, frozen=True):
    """What to launch, in this order; plain values as a launch takes them."""

    reward: dict[str, Any]
    ppo: dict[str, Any]

    @property
    def reward_id(self) -> str:
        return str(self.reward["id"])

    @property
    def ppo_id(self) -> str:
        return str(self.ppo["id"])


def check_agent(agent: str) -> str:
    """The name of a policy, which is a folder's too; RlftError for what is none."""
    if not _AGENT.fullmatch(agent):
        raise RlftError(
            f"not a name for a policy: {agent[:60]!r}",
            remedy="Use letters, digits, '-', '_' and '.', 48 at most, beginning with a letter or digit",
        )
    return agent


def check_count(count: int) -> None:
    """RlftError below the least number of scores."""
    if count < LEAST_FEEDBACK:
        raise RlftError(f"Insufficient feedback: {count} samples (minimum {LEAST_FEEDBACK} required)")


def held_out_share() -> float:
    """Of the prompts, none of which is trained on."""
    return _HELD_OUT


def chain(config: TrainingConfig, agent: str, model: ModelSource, dataset: str, runs: Path) -> Chain:
    """The runs for a policy, whose folders will stand in ``runs``; ``dataset`` is a data set's hash.

    PPO is given the folder that the reward model's run will leave its result in: it is looked for when
    PPO starts.
    """
    reward_id, ppo_id = new_run_id(f"{agent}-reward"), new_run_id(f"{agent}-ppo")
    result = str(runs / reward_id / "model")
    judge = (
        ModelSource(name=reward_id, path=model.path, adapter=result)
        if config.use_lora
        else ModelSource(name=reward_id, path=result)
    )
    # A reward model begins at the bare base: an adapter that writes text has no head to go on from.
    base = ModelSource(name=model.name, path=model.path)
    common = {"dataset": dataset}
    return Chain(
        reward={
            **reward_values(config),
            **common,
            "id": reward_id,
            "model": base.model_dump(),
            "output_name": reward_id,
        },
        ppo={
            **ppo_values(config),
            **common,
            "id": ppo_id,
            "model": model.model_dump(),
            "policy": agent,
            "rewards": [{"source": f"model:{reward_id}", "model": judge.model_dump()}],
        },
    )
