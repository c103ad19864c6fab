"""How surprised the model is by answers that it never trained on."""

from __future__ import annotations

import math
from typing import Any

from rlft_tui.datasets.rows import CompletionRow
from rlft_tui.jobs.conversation_tokens import conversation_tokens
from rlft_tui.jobs.scoring import Scored, answer_logps


class Perplexity:
    """The held-out answers, tokenised; each of several in one conversation given what comes before it."""

    def __init__(
        self, rows: list[CompletionRow], tokenizer: Any, *, max_length: int, batch_size: int
    ) -> None:
        self.batch_size = batch_size
        self.answers: list[Scored] = []
        for row in rows:
            tokens = conversation_tokens(tokenizer, row)
            ids = tokens.ids[:max_length]
            self.answers += [
                Scored(ids[:begin], ids[begin:end]) for begin, end in tokens.answers() if begin < len(ids)
            ]
        self.rows = len(self.answers)

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """``heldout/loss``: mean of -log p over all answer tokens; ``heldout/perplexity``: exp of it."""
        training = model.training
        model.eval()
        try:
            logps = answer_logps(model, self.answers, self.batch_size)
        finally:
            model.train(training)
        tokens = sum(len(answer.answer) for answer in self.answers)
        loss = -sum(logps) / tokens
        return {
            "heldout/loss": loss,
            "heldout/perplexity": math.exp(min(loss, 700.0)),
            "heldout/tokens": float(tokens),
        }
