"""A reward model on scored answers: the mean squared error of one score an answer.

Scores say more than which of two answers is better, and need no two answers to one prompt: a service
that is given single answers has nothing to compare. The head is that of the pairwise reward model, read
at the same token, so whatever loads one loads the other; what it says is on the scale it was given, 0 to 1.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from rlft_tui.datasets.rows import ScoredRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Setup
from rlft_tui.jobs.reward_scoring import conversation_ids, scores_of, set_scoring_padding
from rlft_tui.runs.specs.reward import RewardSpec


class ScoreTrainer(Trainer):
    """Counts the tokens it has seen, as TRL's trainers do, for the event log."""

    _total_train_tokens = 0

    def compute_loss(self, model: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        """Mean over the batch of (score - given)², computed in float32."""
        given = inputs.pop("labels")
        self._total_train_tokens += int(inputs["attention_mask"].sum())
        outputs = model(**inputs, use_cache=False)
        loss = torch.nn.functional.mse_loss(outputs.logits[:, 0].float(), given.float())
        return (loss, outputs) if options.get("return_outputs") else loss

    def log(self, logs: dict[str, float], *more: Any, **options: Any) -> None:
        logs["num_tokens"] = float(self._total_train_tokens)
        super().log(logs, *more, **options)


def score_trainer(setup: Setup[RewardSpec]) -> ScoreTrainer:
    """The trainer on the rows that fit max_length; RlftError when none does."""
    from peft import get_peft_model

    spec, model = setup.spec, setup.model
    set_scoring_padding(setup.tokenizer)
    pad_id = setup.tokenizer.pad_token_id
    model.config.get_text_config().pad_token_id = pad_id
    if setup.peft_config is not None:
        model = get_peft_model(model, setup.peft_config)
    examples = [
        {"input_ids": ids, "labels": row.score}
        for row in setup.rows
        if len(ids := answer_ids(setup.tokenizer, row)) <= spec.max_length
    ]
    if not examples:
        shortest = min(len(answer_ids(setup.tokenizer, row)) for row in setup.rows)
        raise RlftError(
            f"every row has more than max_length ({spec.max_length}) tokens",
            remedy=f"Set max_length to {shortest} or more",
        )
    if spec.gradient_checkpointing and setup.peft_config is not None:
        model.enable_input_require_grads()
    return ScoreTrainer(
        model=model,
        args=TrainingArguments(**setup.arguments, remove_unused_columns=False),
        train_dataset=examples,
        data_collator=lambda rows: collate(rows, pad_id),
    )


def answer_ids(tokenizer: Any, row: ScoredRow) -> list[int]:
    """The whole conversation, its answer last."""
    return conversation_ids(tokenizer, row.prompt + row.completion)


def collate(rows: Sequence[dict[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    """Padded at the end, where no token sees it."""
    width = max(len(row["input_ids"]) for row in rows)
    gaps = [width - len(row["input_ids"]) for row in rows]
    return {
        "input_ids": torch.tensor(
            [row["input_ids"] + [pad_id] * gap for row, gap in zip(rows, gaps, strict=True)]
        ),
        "attention_mask": torch.tensor(
            [[1] * len(row["input_ids"]) + [0] * gap for row, gap in zip(rows, gaps, strict=True)]
        ),
        "labels": torch.tensor([float(row["labels"]) for row in rows]),
    }


class ScoreAudit:
    """How near the scores of held-out answers come to those that people gave."""

    def __init__(
        self, rows: Sequence[ScoredRow], tokenizer: Any, *, max_length: int, batch_size: int
    ) -> None:
        ids = [answer_ids(tokenizer, row) for row in rows]
        kept = [(row.score, one) for row, one in zip(rows, ids, strict=True) if len(one) <= max_length]
        self._given = [score for score, _ in kept]
        self._ids = [one for _, one in kept]
        self.rows = len(kept)
        self.pad_id = tokenizer.pad_token_id
        self.batch_size = batch_size

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """The figures of ``fit``; the model is left in the mode it was in."""
        training = model.training
        model.eval()
        try:
            found = scores_of(model, self._ids, self.pad_id, self.batch_size)
        finally:
            model.train(training)
        return fit(found, self._given)


def fit(found: Sequence[float], given: Sequence[float]) -> dict[str, float]:
    """Figures over answers, their scores found and given.

    ``squared_error``: mean of the squared differences, and ``given_variance`` what saying the mean of
    the given ones would leave: below it something was learnt. ``absolute_error``: mean difference.
    ``correlation``: Pearson's; left out where one of both does not vary. ``ordered``: share of the pairs of
    unequal score that come in the right order, ties half.
    """
    differences = [one - other for one, other in zip(found, given, strict=True)]
    figures = {
        "squared_error": statistics.fmean(one * one for one in differences),
        "given_variance": statistics.pvariance(given),
        "absolute_error": statistics.fmean(map(abs, differences)),
        "score_mean": statistics.fmean(found),
        "score_std": statistics.pstdev(found),
        "rows": float(len(given)),
    }
    if len(given) > 1 and statistics.pstdev(found) > 0 and statistics.pstdev(given) > 0:
        figures["correlation"] = statistics.correlation(found, given)
    right = [
        0.5 if found[a] == found[b] else float((found[a] > found[b]) == (given[a] > given[b]))
        for a in range(len(given))
        for b in range(a)
        if given[a] != given[b]
    ]
    if right:
        figures["ordered"] = statistics.fmean(right)
    return {f"heldout/{name}": value for name, value in figures.items()}
