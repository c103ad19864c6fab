"""Kahneman-Tversky optimisation: ``python -m rlft_tui.jobs.kto RUN_DIR``.

Ethayarajh et al. 2024 by TRL's KTOTrainer, on answers that are wanted or not. Rows are put into an
order in which every batch holds both (datasets/mixed_order.py), and trained on in that order.
"""

from __future__ import annotations

import sys
from typing import Any

from rlft_tui.datasets.mixed_order import mixed_order
from rlft_tui.datasets.rows import JudgedRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Measurer, Method, Reference, Setup, no_answer_left
from rlft_tui.jobs.training import run_method
from rlft_tui.runs.specs.kto import KtoSpec

UNITS = {"kl": "nats/sequence", "heldout/wanted_reward": "nats", "heldout/unwanted_reward": "nats"}


class Kto(Method[KtoSpec]):
    spec = KtoSpec
    units = UNITS

    def trainer(self, setup: Setup[KtoSpec]) -> Any:
        from datasets import Dataset
        from trl.trainer.kto_config import KTOConfig
        from trl.trainer.kto_trainer import KTOTrainer

        spec = setup.spec
        rows = trained_rows(setup)
        return KTOTrainer(
            model=setup.model,
            args=KTOConfig(
                **setup.arguments,
                beta=spec.beta,
                loss_type=spec.loss_type,
                desirable_weight=spec.desirable_weight,
                undesirable_weight=spec.undesirable_weight,
                max_length=spec.max_length,
                precompute_ref_log_probs=spec.precomputes(len(rows)),
            ),
            train_dataset=Dataset.from_list(
                [{"prompt": row.prompt, "completion": row.completion, "label": row.label} for row in rows]
            ),
            processing_class=setup.tokenizer,
            peft_config=setup.peft_config,
        )

    def measurer(self, setup: Setup[KtoSpec], trainer: Any, reference: Reference | None) -> Measurer | None:
        from rlft_tui.jobs.judged_heldout import JudgedHeldOut

        return JudgedHeldOut.of(setup, reference)


def trained_rows(setup: Setup[KtoSpec]) -> list[JudgedRow]:
    """The rows that max_length leaves an answer of, in the order they are trained on."""
    from rlft_tui.jobs.decoding import prompt_ids

    spec = setup.spec
    lengths = [len(prompt_ids(setup.tokenizer, row.prompt)) for row in setup.rows]
    rows = [row for row, length in zip(setup.rows, lengths, strict=True) if length < spec.max_length]
    if not rows:
        raise no_answer_left(spec.max_length, max(lengths))
    if len({row.label for row in rows}) == 1:
        raise RlftError(
            f"every answer is {'wanted' if rows[0].label else 'unwanted'}, so nothing is told apart",
            remedy="Build a data set with both: rlft data build --kind unpaired",
        )
    if spec.batch_size < 2 and spec.loss_type == "kto":
        raise RlftError(
            "batch_size 1 has no other answers to estimate the KL from",
            remedy="Set batch_size to 2 or more, or loss_type to apo_zero_unpaired",
        )
    return mixed_order(rows, spec.batch_size, spec.seed)


if __name__ == "__main__":
    raise SystemExit(run_method(Kto(), sys.argv[1:]))
