"""How a reward model does on comparisons it never trained on, and what it goes by besides quality.

Agreement with the people's votes, calibration, and length: a reward model that prefers the longer
answer will teach length (Singhal et al. 2023). The worst disagreements are kept to be read.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft_tui.datasets.rows import PreferenceRow, answer_text
from rlft_tui.jobs.heldout import share_won
from rlft_tui.jobs.reward_scoring import conversation_ids, scores_of

BINS = 10
SHOWN = 20
"""Disagreements that are kept in full."""


@dataclass(frozen=True, slots=True)
class _Pair:
    row: PreferenceRow
    chosen: list[int]
    rejected: list[int]


class RewardAudit:
    """The held-out comparisons, tokenised as in training."""

    def __init__(
        self, rows: Sequence[PreferenceRow], tokenizer: Any, *, max_length: int, batch_size: int, report: Path
    ) -> None:
        """``report``: JSON file for the figures and the worst disagreements, written at every measure."""
        pairs = (
            _Pair(
                row,
                conversation_ids(tokenizer, row.prompt + row.chosen),
                conversation_ids(tokenizer, row.prompt + row.rejected),
            )
            for row in rows
        )
        # TRL's trainer leaves out rows that are too long; they would be judged on what is new to it.
        self._pairs = [pair for pair in pairs if max(len(pair.chosen), len(pair.rejected)) <= max_length]
        self.rows = len(self._pairs)
        self.batch_size = batch_size
        self.pad_id = tokenizer.pad_token_id
        self.report = report

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """The figures of ``audit``; the model is left in the mode it was in."""
        training = model.training
        model.eval()
        try:
            ids = [pair.chosen for pair in self._pairs] + [pair.rejected for pair in self._pairs]
            scores = scores_of(model, ids, self.pad_id, self.batch_size)
        finally:
            model.train(training)
        chosen, rejected = scores[: self.rows], scores[self.rows :]
        lengths = [(len(pair.chosen), len(pair.rejected)) for pair in self._pairs]
        figures = audit(chosen, rejected, lengths)
        self._write(figures, chosen, rejected)
        return figures

    def _write(self, figures: dict[str, float], chosen: list[float], rejected: list[float]) -> None:
        order = sorted(range(self.rows), key=lambda place: chosen[place] - rejected[place])
        wrong = [
            {
                "prompt": self._pairs[place].row.prompt[-1]["content"],
                "chosen": answer_text(self._pairs[place].row.chosen),
                "rejected": answer_text(self._pairs[place].row.rejected),
                "chosen_score": chosen[place],
                "rejected_score": rejected[place],
                "example_id": self._pairs[place].row.example_id,
            }
            for place in order
            if not chosen[place] > rejected[place]
        ]
        record = {"figures": figures, "disagreements": len(wrong), "worst": wrong[:SHOWN]}
        partial = self.report.with_suffix(".partial")
        partial.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
        partial.replace(self.report)


def audit(
    chosen: Sequence[float], rejected: Sequence[float], lengths: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Figures over comparisons, from the scores and lengths (in tokens) of both answers.

    ``accuracy``: share in which the people's choice has the higher score, ties half.
    ``margin``: mean difference of the scores. ``loss``: mean of -log sigmoid(difference), in nats
    (Ouyang et al. 2022, eq. 1). ``calibration_error``: how far the sigmoid of the difference, taken as
    a probability, is from the share that is right, over ten bins of confidence weighted by their size
    (Guo et al. 2017, eq. 3); 0 is calibrated. ``longer_preferred`` and ``longer_chosen``: share of
    comparisons of unequal length in which the model, and the people, preferred the longer answer.
    ``length_correlation``: Pearson's, of the difference in score with that in length; 0 where one
    does not vary. ``score_mean``, ``score_std``: over all answers, for the scale.
    """
    gaps = [better - worse for better, worse in zip(chosen, rejected, strict=True)]
    longer = [mine - theirs for mine, theirs in lengths]
    figures = {
        "accuracy": share_won(list(chosen), list(rejected)),
        "margin": statistics.fmean(gaps),
        "loss": statistics.fmean(_softplus(-gap) for gap in gaps),
        "calibration_error": calibration_error(gaps),
        "length_correlation": _correlation(gaps, longer),
        "score_mean": statistics.fmean([*chosen, *rejected]),
        "score_std": statistics.pstdev([*chosen, *rejected]),
        "pairs": float(len(gaps)),
    }
    unequal = [(gap, length) for gap, length in zip(gaps, longer, strict=True) if length]
    if unequal:
        preferred = sum(0.5 if gap == 0 else float((gap > 0) == (length > 0)) for gap, length in unequal)
        figures["longer_preferred"] = preferred / len(unequal)
        figures["longer_chosen"] = sum(length > 0 for _, length in unequal) / len(unequal)
    return {f"heldout/{name}": value for name, value in figures.items()}


def calibration_error(gaps: Sequence[float]) -> float:
    """Expected calibration error (Guo et al. 2017) of sigmoid(|gap|) as the probability of being right."""
    bins: list[list[tuple[float, float]]] = [[] for _ in range(BINS)]
    for gap in gaps:
        confidence = 1 / (1 + math.exp(-min(abs(gap), 700.0)))
        right = 1.0 if gap > 0 else 0.5 if gap == 0 else 0.0
        # Of two answers the likelier one has at least one half.
        bins[min(BINS - 1, int((confidence - 0.5) * 2 * BINS))].append((confidence, right))
    return sum(abs(sum(c - r for c, r in found)) for found in bins) / len(gaps)


def _correlation(ones: Sequence[float], others: Sequence[float]) -> float:
    try:
        return statistics.correlation(ones, others)
    except statistics.StatisticsError:
        return 0.0


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
