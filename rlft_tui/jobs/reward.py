"""A reward model on comparisons or scored answers: ``python -m rlft_tui.jobs.reward RUN_DIR``.

Comparisons go through TRL's RewardTrainer: one score in place of the language head, read at the last
token, with the loss -log sigmoid(chosen - rejected - margin) (Ouyang et al. 2022, eq. 1; Touvron et al.
2023, eq. 2).
Answers with a score of their own are learnt by regression: jobs/score_regression.py.
With LoRA the head is saved with the adapter. The result scores answers: jobs/reward_scoring.py.
"""

from __future__ import annotations

import sys
from typing import Any

from rlft_tui.datasets.rows import ScoredRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Measurer, Method, Reference, Setup
from rlft_tui.jobs.training import run_method
from rlft_tui.runs.specs.reward import RewardSpec

UNITS = {
    "margin": "score",
    "mean_reward": "score",
    "min_reward": "score",
    "max_reward": "score",
    "heldout/margin": "score",
    "heldout/score_mean": "score",
    "heldout/score_std": "score",
    "heldout/loss": "nats/pair",
    "heldout/squared_error": "score²",
    "heldout/given_variance": "score²",
    "heldout/absolute_error": "score",
}


class Reward(Method[RewardSpec]):
    spec = RewardSpec
    head = "score"
    units = UNITS

    def trainer(self, setup: Setup[RewardSpec]) -> Any:
        if isinstance(setup.rows[0], ScoredRow):
            from rlft_tui.jobs.score_regression import score_trainer

            return score_trainer(setup)
        from datasets import Dataset
        from trl.trainer.reward_config import RewardConfig
        from trl.trainer.reward_trainer import RewardTrainer

        from rlft_tui.jobs.reward_scoring import set_scoring_padding

        spec = setup.spec
        set_scoring_padding(setup.tokenizer)
        check_lengths(setup)
        with_margins = spec.margins and all(row.margin is not None for row in setup.rows)
        return RewardTrainer(
            model=setup.model,
            args=RewardConfig(
                **setup.arguments,
                max_length=spec.max_length,
                center_rewards_coefficient=spec.center_rewards or None,
            ),
            train_dataset=Dataset.from_list(
                [
                    row.as_dict() | ({"margin": float(row.margin)} if with_margins else {})
                    for row in setup.rows
                ]
            ),
            processing_class=setup.tokenizer,
            peft_config=setup.peft_config,
        )

    def measurer(
        self, setup: Setup[RewardSpec], trainer: Any, reference: Reference | None
    ) -> Measurer | None:
        if isinstance(setup.rows[0], ScoredRow):
            from rlft_tui.jobs.score_regression import ScoreAudit

            return ScoreAudit(
                setup.heldout_rows,
                setup.tokenizer,
                max_length=setup.spec.max_length,
                batch_size=2 * setup.spec.batch_size,
            )
        from rlft_tui.jobs.reward_audit import RewardAudit

        return RewardAudit(
            setup.heldout_rows,
            setup.tokenizer,
            max_length=setup.spec.max_length,
            batch_size=2 * setup.spec.batch_size,
            report=setup.job.folder.root / "reward_audit.json",
        )


def check_lengths(setup: Setup[RewardSpec]) -> None:
    """RlftError when every row is too long: the trainer leaves such rows out."""
    from rlft_tui.jobs.reward_scoring import conversation_ids

    def longest(row: Any) -> int:
        answers = (row.chosen, row.rejected)
        return max(len(conversation_ids(setup.tokenizer, row.prompt + answer)) for answer in answers)

    if (shortest := min(longest(row) for row in setup.rows)) > setup.spec.max_length:
        raise RlftError(
            f"every row has more than max_length ({setup.spec.max_length}) tokens",
            remedy=f"Set max_length to {shortest} or more",
        )


if __name__ == "__main__":
    raise SystemExit(run_method(Reward(), sys.argv[1:]))
