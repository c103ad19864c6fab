"""How often the policy prefers what people preferred, on prompts it never trained on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Self

from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Reference, Setup
from rlft_tui.jobs.preference_rows import PreferenceRow, tokenise
from rlft_tui.jobs.scoring import Scored, answer_logps

UNITS = {"heldout/margin": "nats", "heldout/loss": "nats/pair"}


class HeldOut:
    """The held-out comparisons, tokenised, with the reference's log-probabilities once they are known."""

    def __init__(
        self,
        rows: list[PreferenceRow],
        tokenizer: Any,
        *,
        beta: float,
        max_length: int,
        batch_size: int,
        reference: Reference | None,
        kept: Path,
    ) -> None:
        """``kept``: file for the reference's log-probabilities, so that a resumed run still has them when
        the model that it began with is gone."""
        self.beta = beta
        self.batch_size = batch_size
        self.reference = reference
        self._reference_logps: list[float] | None = None
        self.chosen: list[Scored] = []
        self.rejected: list[Scored] = []
        for row in rows:
            tokens = tokenise(tokenizer, row)
            room = max_length - len(tokens.prompt)
            if room > 0:
                self.chosen.append(Scored(tokens.prompt, tokens.chosen[:room]))
                self.rejected.append(Scored(tokens.prompt, tokens.rejected[:room]))
        self.rows = len(self.chosen)
        self.kept = kept

    @classmethod
    def of(cls, setup: Setup[Any], reference: Reference | None) -> Self:
        """The held-out rows of a run whose spec has a ``beta``."""
        spec = setup.spec
        return cls(
            setup.heldout_rows,
            setup.tokenizer,
            beta=spec.beta,
            max_length=spec.max_length,
            batch_size=2 * spec.batch_size,
            reference=reference,
            kept=setup.job.folder.root / "heldout_reference.json",
        )

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """Shares (0..1) of comparisons in which the chosen answer wins; a tie counts half.

        ``heldout/reward_accuracy``: by the implicit reward beta * log(policy/reference) of
        Rafailov et al. 2023. An ``untrained`` policy is its own reference: 0.5.
        ``heldout/loss``: mean of -log sigma of its margins, which a few pairs tell finer steps of than
        of a share; the loss of the same paper, whatever loss is trained by.
        ``heldout/likelihood_accuracy``: by log p of the whole answer.
        ``heldout/normalised_accuracy``: by log p divided by the answer's tokens.
        """
        rewards, policy = self.rewards(model, untrained=untrained)
        items, n = self.chosen + self.rejected, len(self.chosen)
        per_token = [p / max(1, len(item.answer)) for p, item in zip(policy, items, strict=True)]
        margins = [a - b for a, b in zip(rewards[:n], rewards[n:], strict=True)]
        return {
            "heldout/reward_accuracy": share_won(rewards[:n], rewards[n:]),
            "heldout/margin": sum(margins) / n,
            "heldout/loss": sum(map(log_loss, margins)) / n,
            "heldout/likelihood_accuracy": share_won(policy[:n], policy[n:]),
            "heldout/normalised_accuracy": share_won(per_token[:n], per_token[n:]),
            "heldout/pairs": float(n),
        }

    def rewards(self, model: Any, *, untrained: bool = False) -> tuple[list[float], list[float]]:
        """Implicit rewards and log-probabilities of all chosen and then all rejected answers, in nats."""
        items = self.chosen + self.rejected
        training = model.training
        model.eval()
        try:
            policy = answer_logps(model, items, self.batch_size)
            if untrained:
                self._reference_logps = policy
                self.kept.write_text(json.dumps(policy), encoding="utf-8")
            elif self._reference_logps is None:
                self._reference_logps = self._of_reference(items)
        finally:
            model.train(training)
        return [self.beta * (p - r) for p, r in zip(policy, self._reference_logps, strict=True)], policy

    def _of_reference(self, items: list[Scored]) -> list[float]:
        if self.reference is not None:
            with self.reference() as frozen:
                return answer_logps(frozen, items, self.batch_size)
        try:
            logps: list[float] = json.loads(self.kept.read_bytes())
        except (OSError, ValueError):
            logps = []
        if len(logps) != len(items):
            raise RlftError(
                "the reference's log-probabilities are gone, so nothing can be compared with them",
                where=str(self.kept),
                remedy="Launch the run anew",
            )
        return logps


def log_loss(margin: float) -> float:
    """-log sigma(margin), in nats, without overflow."""
    return max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))


def share_won(chosen: list[float], rejected: list[float]) -> float:
    """Share of comparisons in which the first is greater; ties count half, NaN counts as lost."""
    points = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(chosen, rejected, strict=True)]
    return sum(points) / len(points)
