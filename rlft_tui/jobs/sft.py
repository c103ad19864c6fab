"""Supervised fine-tuning: ``python -m rlft_tui.jobs.sft RUN_DIR``.

TRL's SFTTrainer on conversations that were tokenised here: a token counts in the loss when the
assistant says it. Which tokens those are is taken from the chat template itself (what a message
adds behind the generation prompt), so any template will do and the end of a turn is learnt with it.
"""

from __future__ import annotations

import sys
from typing import Any

from rlft_tui.jobs.conversation_tokens import conversation_tokens
from rlft_tui.jobs.method import Measurer, Method, Reference, Setup, no_answer_left
from rlft_tui.jobs.training import run_method
from rlft_tui.runs.specs.sft import SftSpec

UNITS = {"heldout/loss": "nats/token"}


class Sft(Method[SftSpec]):
    spec = SftSpec
    units = UNITS

    def trainer(self, setup: Setup[SftSpec]) -> Any:
        from datasets import Dataset
        from trl.trainer.sft_config import SFTConfig
        from trl.trainer.sft_trainer import SFTTrainer

        spec = setup.spec
        tokens = [conversation_tokens(setup.tokenizer, row) for row in setup.rows]
        if spec.assistant_only and not any(any(each.assistant[: spec.max_length]) for each in tokens):
            raise no_answer_left(spec.max_length, max(len(each.ids) for each in tokens))
        columns: dict[str, list[list[int]]] = {"input_ids": [each.ids for each in tokens]}
        if spec.assistant_only:
            columns["assistant_masks"] = [each.assistant for each in tokens]
        return SFTTrainer(
            model=setup.model,
            args=SFTConfig(
                **setup.arguments,
                max_length=spec.max_length,
                packing=spec.packing,
                loss_type=spec.loss_type,
            ),
            train_dataset=Dataset.from_dict(columns),
            processing_class=setup.tokenizer,
            peft_config=setup.peft_config,
        )

    def measurer(self, setup: Setup[SftSpec], trainer: Any, reference: Reference | None) -> Measurer | None:
        from rlft_tui.jobs.perplexity import Perplexity

        return Perplexity(
            setup.heldout_rows,
            setup.tokenizer,
            max_length=setup.spec.max_length,
            batch_size=2 * setup.spec.batch_size,
        )


if __name__ == "__main__":
    raise SystemExit(run_method(Sft(), sys.argv[1:]))
