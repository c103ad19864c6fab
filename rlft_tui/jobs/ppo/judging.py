"""The run's rewards, asked about answers as they come from the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlft_tui.datasets.rows import PromptRow
from rlft_tui.jobs.method import Rewarded, Setup
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.reward_functions import LoadModel, RunRewards, columns_of
from rlft_tui.metrics.alarms.alarm import Alarm


class RewardJudge:
    """Calls every reward with the prompts' conversations, the answers' texts, and the data set's columns.

    What stands behind an answer's first end-of-sequence token was never drawn, so no reward sees it.
    """

    def __init__(self, setup: Setup[Any], rows: Sequence[PromptRow], load_model: LoadModel) -> None:
        """``load_model`` finds a trained reward model."""
        self.rows = rows
        self.rewards = RunRewards(
            setup.spec.rewards,
            setup.job.folder.rewards,
            load_model=load_model,
            seconds=setup.spec.reward_seconds,
            tell=lambda name, what: setup.job.alarm(
                0, Alarm("reward not finite", f"reward {name} {what}", "Return None where it cannot judge")
            ),
        )

    def __call__(self, answers: Sequence[Answer]) -> list[Rewarded]:
        rows = [self.rows[answer.place] for answer in answers]
        return self.rewards.reward(
            [row.prompt for row in rows],
            [[{"role": "assistant", "content": answer.text}] for answer in answers],
            [answer.response for answer in answers],
            columns_of(rows),
        )
