"""What the policy says while it is being trained, and how far it has moved from the reference.

The KL divergence is estimated on the samples themselves (k1 of Schulman 2020):
log(policy/reference) at temperature 1, summed over an answer's tokens, end of
sequence included. It is exact in expectation for samples drawn at temperature 1
and top_p 1; at other settings it is the same sum over what those settings draw.
A single answer's value may be negative.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from rlft_tui.jobs.decoding import Decoding, Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.preference_rows import Conversation
from rlft_tui.jobs.scoring import Scored, answer_logps
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_spec import Sampling

UNITS = {"kl/sequence": "nats/sequence", "kl/token": "nats/token", "samples/tokens": "tokens"}


class Sampler:
    """Answers the same prompts with the same random numbers at every call."""

    def __init__(
        self,
        prompts: list[Conversation],
        tokenizer: Any,
        *,
        sampling: Sampling,
        seed: int,
        log: EventWriter,
        reference: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.prompts = prompts
        self.tokenizer = tokenizer
        self.sampling = sampling
        self.seed = seed
        self.log = log
        self.reference = reference
        self.sampled_at: int | None = None
        """Step of the last samples."""

    def sample(self, model: Any, step: int) -> dict[str, float]:
        """Write one sample event a prompt; the mean KL and answer length as metrics.

        The model is left in the mode it was in, and torch's random state is untouched.
        """
        if self.sampled_at == step:
            return {}
        self.sampled_at = step
        training = model.training
        model.eval()
        try:
            rows = self._answers(model)
            kls = self._divergences(model, rows)
        finally:
            model.train(training)
        for index, (row, kl) in enumerate(zip(rows, kls, strict=True)):
            self.log.write(
                "sample",
                step=step,
                index=index,
                prompt=self.prompts[index][-1]["content"],
                completion=answer_text(self.tokenizer, row),
                kl=kl,
                reward=None,
                tokens=len(row.tokens),
            )
        tokens = sum(len(row.tokens) + (row.ended == "eos") for row in rows)
        return {
            "kl/sequence": sum(kls) / len(kls),
            "kl/token": sum(kls) / max(1, tokens),
            "samples/tokens": sum(len(row.tokens) for row in rows) / len(rows),
        }

    @torch.no_grad()
    def _answers(self, model: Any) -> list[Row]:
        rows = [
            Row(
                prompt_ids(self.tokenizer, prompt),
                self.sampling,
                derived_seed(self.seed, "sample", str(index)),
            )
            for index, prompt in enumerate(self.prompts)
        ]
        decoding = Decoding(model, rows, end_ids(model, self.tokenizer), self.tokenizer.pad_token_id)
        while decoding.open:
            decoding.step()
        return rows

    def _divergences(self, model: Any, rows: list[Row]) -> list[float]:
        """log(policy/reference) of each answer in nats; both see the same batches."""
        end = [self.tokenizer.eos_token_id]
        items = [Scored(row.prompt, row.tokens + (end if row.ended == "eos" else [])) for row in rows]
        policy = answer_logps(model, items, len(items))
        with self.reference():
            reference = answer_logps(model, items, len(items))
        return [p - r for p, r in zip(policy, reference, strict=True)]
