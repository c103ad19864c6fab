"""What the policy says while it is being trained, and how far it has moved from the reference.

The KL divergence is estimated on the samples themselves (k1 of Schulman 2020):
log(policy/reference) at temperature 1, summed over an answer's tokens, end of
sequence included. It is exact in expectation for samples drawn at temperature 1
and top_p 1; at other settings it is the same sum over what those settings draw.
A single answer's value may be negative.
"""

from __future__ import annotations

from typing import Any

import torch

from rlft_tui.jobs.decoding import Decoding, Row, answer_text, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.method import Reference, Rewarded, Rewarder
from rlft_tui.jobs.preference_rows import Conversation
from rlft_tui.jobs.scoring import Scored, answer_logps
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_spec import Sampling
from rlft_tui.samples.repetition import distinct_n, twin_share

UNITS = {
    "kl/sequence": "nats/sequence",
    "kl/token": "nats/token",
    "samples/tokens": "tokens",
    "samples/distinct_2": "share",
    "samples/twins": "share",
    "samples/reward": "reward",
}


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
        reference: Reference | None,
        rewarder: Rewarder | None = None,
    ) -> None:
        """Without a ``reference`` no KL is measured, without a ``rewarder`` no reward."""
        self.prompts = prompts
        self.tokenizer = tokenizer
        self.sampling = sampling
        self.seed = seed
        self.log = log
        self.reference = reference
        self.rewarder = rewarder
        self.sampled_at: int | None = None
        """Step of the last samples."""

    def sample(self, model: Any, step: int) -> dict[str, float]:
        """Write one sample event a prompt; the mean KL, reward and answer length as metrics.

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
        texts = [answer_text(self.tokenizer, row) for row in rows]
        rewards: list[Rewarded] = (
            self.rewarder(self.prompts, texts, [row.tokens for row in rows]) if self.rewarder else []
        )
        for index, row in enumerate(rows):
            reward = rewards[index] if rewards else None
            self.log.write(
                "sample",
                step=step,
                index=index,
                prompt=self.prompts[index][-1]["content"],
                completion=texts[index],
                kl=kls[index] if kls else None,
                reward=reward.total if reward else None,
                tokens=len(row.tokens),
                **({"rewards": dict(reward.parts)} if reward else {}),
            )
        means = {
            "samples/tokens": sum(len(row.tokens) for row in rows) / len(rows),
            "samples/distinct_2": distinct_n(texts),
            "samples/twins": twin_share(texts),
        }
        if kls:
            tokens = sum(len(row.tokens) + (row.ended == "eos") for row in rows)
            means |= {"kl/sequence": sum(kls) / len(kls), "kl/token": sum(kls) / max(1, tokens)}
        if judged := [reward.total for reward in rewards if reward.total is not None]:
            means["samples/reward"] = sum(judged) / len(judged)
        return means

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
        if self.reference is None:
            return []
        end = [self.tokenizer.eos_token_id]
        items = [Scored(row.prompt, row.tokens + (end if row.ended == "eos" else [])) for row in rows]
        policy = answer_logps(model, items, len(items))
        with self.reference() as frozen:
            reference = answer_logps(frozen, items, len(items))
        return [p - r for p, r in zip(policy, reference, strict=True)]
