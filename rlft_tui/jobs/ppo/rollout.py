"""The policy answers prompts; nothing but token ids is kept.

The generation pass's own scores are thrown away: rounded differently from the training
pass, they would make the first ratios differ from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from rlft_tui.jobs.batch_decoding import write_rows
from rlft_tui.jobs.decoding import Row, answer_text, derived_seed, end_ids
from rlft_tui.jobs.packed_linear import packed
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.frozen_layers import adapters_rounded_once
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.runs.run_spec import Sampling

Never: Callable[[], bool] = lambda: False  # noqa: E731


class Rollout:
    """Draws answers at the policy's temperature from the whole vocabulary: no top-k, no top-p.

    Whatever else changes the distribution in sampling would have to change the
    log-probabilities too, or the ratios would be those of another policy.
    """

    def __init__(self, policy: Policy, tokenizer: Any, *, max_new_tokens: int, rows: int, seed: int) -> None:
        """``rows`` answers are written together; the next begins when one of them ends."""
        self.policy = policy
        self.tokenizer = tokenizer
        self.sampling = Sampling(temperature=policy.temperature, top_p=1.0, max_new_tokens=max_new_tokens)
        self.rows = rows
        self.seed = seed
        self.ends = end_ids(policy.model, tokenizer)

    @torch.inference_mode()
    def draw(
        self,
        prompts: Sequence[list[int]],
        places: Sequence[int],
        *name: object,
        only: Sequence[int] | None = None,
        stopped: Callable[[], bool] = Never,
    ) -> list[Answer] | None:
        """One answer to each of ``prompts[place]``, in order; None when it was stopped on the way.

        ``only`` these indices of ``places`` are answered; all of them by default. The random numbers
        follow from the seed, ``name`` (such as the update's number) and the index, so they are the same
        after a resume. The longest prompts come first; answers to one prompt follow one another, so
        that it is read once.
        """
        wanted = range(len(places)) if only is None else only
        order = sorted(
            wanted, key=lambda index: (-len(prompts[places[index]]), prompts[places[index]], index)
        )
        rows = [
            Row(prompts[places[index]], self.sampling, derived_seed(self.seed, *map(str, name), str(index)))
            for index in order
        ]
        model = self.policy.model
        with packed(model), adapters_rounded_once(model), self.policy.precision():
            for _ in write_rows(model, rows, self.ends, self.policy.pad_id, slots=self.rows):
                if stopped():
                    return None
        found = dict(zip(order, rows, strict=True))
        return [self._answer(found[index], places[index]) for index in wanted]

    def _answer(self, row: Row, place: int) -> Answer:
        ended = row.ended == "eos"
        response = row.tokens + ([row.end] if ended else [])
        return Answer(row.prompt, response, ended, answer_text(self.tokenizer, row), place)
