"""Direct preference optimisation: ``python -m rlft_tui.jobs.dpo RUN_DIR``.

Rafailov et al. 2023 by TRL's DPOTrainer. With LoRA the reference is the same model with the new
adapter switched off (or, when an adapter is continued, a frozen copy of it), so one base serves
both; full fine-tuning holds a second model. The reference is computed along with each batch,
unless rows come up so often that computing it once is cheaper.
"""

from __future__ import annotations

import sys
from typing import Any

from rlft_tui.jobs.method import Measurer, Method, Reference, Setup, no_answer_left
from rlft_tui.jobs.preference_rows import tokenise
from rlft_tui.jobs.training import run_method
from rlft_tui.runs.specs.dpo import DpoSpec


class Dpo(Method[DpoSpec]):
    spec = DpoSpec

    def trainer(self, setup: Setup[DpoSpec]) -> Any:
        from datasets import Dataset
        from trl.trainer.dpo_config import DPOConfig
        from trl.trainer.dpo_trainer import DPOTrainer

        spec = setup.spec
        check_lengths(setup)
        losses: dict[str, Any] = {"loss_type": [spec.loss_type]}
        if spec.sft_weight:
            losses = {"loss_type": [spec.loss_type, "sft"], "loss_weights": [1.0, spec.sft_weight]}
        return DPOTrainer(
            model=setup.model,
            args=DPOConfig(
                **setup.arguments,
                **losses,
                beta=spec.beta,
                label_smoothing=spec.label_smoothing,
                max_length=spec.max_length,
                precompute_ref_log_probs=spec.precomputes(len(setup.rows)),
            ),
            train_dataset=Dataset.from_list(
                [{"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected} for row in setup.rows]
            ),
            processing_class=setup.tokenizer,
            peft_config=setup.peft_config,
        )

    def measurer(self, setup: Setup[DpoSpec], trainer: Any, reference: Reference | None) -> Measurer | None:
        from rlft_tui.jobs.heldout import HeldOut

        return HeldOut.of(setup, reference)


def check_lengths(setup: Setup[Any]) -> None:
    """RlftError when max_length leaves no room for an answer behind any prompt."""
    lengths = [len(tokenise(setup.tokenizer, row).prompt) for row in setup.rows]
    if min(lengths) >= setup.spec.max_length:
        raise no_answer_left(setup.spec.max_length, max(lengths))


if __name__ == "__main__":
    raise SystemExit(run_method(Dpo(), sys.argv[1:]))
