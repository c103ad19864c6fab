"""How well the policy tells wanted from unwanted answers, on prompts it never trained on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from rlft_tui.datasets.rows import JudgedRow
from rlft_tui.jobs.heldout import HeldOut
from rlft_tui.jobs.preference_rows import tokenise_answer
from rlft_tui.jobs.scoring import Scored


class JudgedHeldOut(HeldOut):
    """The held-out answers, tokenised, with the reference's log-probabilities once they are known."""

    def __init__(self, rows: list[JudgedRow], tokenizer: Any, **options: Any) -> None:
        """``options``: those of HeldOut."""
        super().__init__([], tokenizer, **options)
        for row in rows:
            prompt, answer = tokenise_answer(tokenizer, row.prompt, row.completion)
            room = options["max_length"] - len(prompt)
            if room > 0:
                side = self.chosen if row.label else self.rejected
                side.append(Scored(prompt, answer[:room]))
        self.rows = len(self.chosen) + len(self.rejected)

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """By the implicit reward beta * log(policy/reference) of Ethayarajh et al. 2024.

        ``heldout/reward_accuracy``: share of all (wanted, unwanted) pairs of answers in which the
        wanted one has the higher reward, which is the area under the ROC curve; an ``untrained``
        policy has 0.5. ``heldout/margin``: mean reward of the wanted minus that of the unwanted.
        ``heldout/wanted_reward``, ``heldout/unwanted_reward``: these means, in nats times beta.
        """
        rewards = self.rewards(model, untrained=untrained)[0]
        wanted, unwanted = rewards[: len(self.chosen)], rewards[len(self.chosen) :]
        figures = {"heldout/answers": float(self.rows)}
        if wanted:
            figures["heldout/wanted_reward"] = sum(wanted) / len(wanted)
        if unwanted:
            figures["heldout/unwanted_reward"] = sum(unwanted) / len(unwanted)
        if wanted and unwanted:
            figures["heldout/reward_accuracy"] = area_under_curve(wanted, unwanted)
            figures["heldout/margin"] = figures["heldout/wanted_reward"] - figures["heldout/unwanted_reward"]
        return figures


def area_under_curve(wanted: Sequence[float], unwanted: Sequence[float]) -> float:
    """Probability that one of the first is above one of the second, ties half (Mann and Whitney 1947)."""
    others = sorted(unwanted)
    won = sum(bisect_left(others, one) + bisect_right(others, one) for one in wanted)
    return won / (2 * len(wanted) * len(unwanted))
