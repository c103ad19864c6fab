"""The answers that GRPO and RLOO are trained on, read off the trainer as they come and go.

TRL keeps completions for W&B and similar; here the best and the worst answer of a step go to the
event log, each with its reward, the parts of it, its length and its KL to the reference. The KL is
log(policy/reference) summed over the answer's tokens (k1 of Schulman 2020), nats/sequence, under the
policy that drew it and at the temperature it was drawn with; a single value may be negative. It costs
no forward pass: the trainer computes both log-probabilities anyway.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from rlft_tui.jobs.job import Job
from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.reward_functions import RunRewards
from rlft_tui.rewards.reward_function import plain_text
from rlft_tui.runs.run_status import BEST, WORST
from rlft_tui.samples.repetition import distinct_n, twin_share

UNITS = {"completions/distinct_2": "share", "completions/twins": "share"}
_PLACE = "answer_place"
"""Column of the trainer's batch that says which of the drawn answers a row is."""
_BUFFER = "answers.pt"


class AnswerLog:
    """What is known of the answers drawn last."""

    def __init__(self, rewards: RunRewards, ends: frozenset[int]) -> None:
        """``ends`` are the token ids that end an answer."""
        self.rewards = rewards
        self.ends = ends
        self.fresh = False
        """Drawn since the last log row."""
        self.unwritten = False
        """Drawn since the last sample events."""
        self.kls: list[float | None] = []

    def drawn(self) -> None:
        self.fresh = self.unwritten = True
        self.kls = [None] * len(self.rewards.last.completions)

    def metrics(self) -> dict[str, float]:
        """How much the answers repeat themselves and one another."""
        texts = [plain_text(completion) for completion in self.rewards.last.completions]
        return {"completions/distinct_2": distinct_n(texts), "completions/twins": twin_share(texts)}

    def events(self, step: int) -> list[dict[str, Any]]:
        """The best and the worst answer as sample events; none where no answer was judged."""
        last = self.rewards.last
        earned = [
            self.rewards.earned({name: last.parts[name][place] for name in self.rewards.names})
            for place in range(len(last.completions))
        ]
        judged = [(one.total, place) for place, one in enumerate(earned) if one.total is not None]
        if not judged:
            return []
        # Of equals the first is shown as best and the last as worst, so that they are two.
        best, worst = (
            max(judged, key=lambda pair: (pair[0], -pair[1])),
            min(judged, key=lambda p: (p[0], -p[1])),
        )
        return [
            self._event(step, BEST, "best", best[1], earned[best[1]]),
            self._event(step, WORST, "worst", worst[1], earned[worst[1]]),
        ]

    def _event(self, step: int, index: int, of: str, place: int, earned: Rewarded) -> dict[str, Any]:
        last = self.rewards.last
        ids = last.token_ids[place]
        return {
            "step": step,
            "index": index,
            "of": of,
            "prompt": plain_text(last.prompts[place][-1:]),
            "completion": plain_text(last.completions[place]),
            "kl": self.kls[place],
            "reward": earned.total,
            "rewards": dict(earned.parts),
            "tokens": len(ids) - (len(ids) > 0 and ids[-1] in self.ends),
        }


class AnswerEvents(TrainerCallback):
    """Writes the best and the worst answer of every ``every``-th step; ``every`` 0 writes none."""

    def __init__(self, job: Job, answers: AnswerLog, every: int) -> None:
        self.job = job
        self.answers = answers
        self.every = every

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.answers.rewards.step = state.global_step + 1

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.every and state.global_step % self.every == 0 and self.answers.unwritten:
            self.answers.unwritten = False
            for event in self.answers.events(state.global_step):
                self.job.log.write("sample", **event)


def watched(trainer: type[Any], answers: AnswerLog) -> type[Any]:
    """A TRL trainer that tells what it draws, and that can be resumed between steps on the same answers."""

    class Watched(trainer):
        _seen: list[torch.Tensor]
        """Log-probabilities (rows, tokens) in the order the trainer asked for them."""

        def _get_per_token_logps_and_entropies(self, *args: Any, **options: Any) -> Any:
            found = super()._get_per_token_logps_and_entropies(*args, **options)
            self._seen.append(found[0].detach())
            return found

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            self._seen = []
            output = super()._generate_and_score_completions(inputs)
            answers.drawn()
            mask = output["completion_mask"]
            output[_PLACE] = torch.arange(len(mask), device=mask.device)
            if len(self._seen) == 2:  # the policy's own, then the reference's
                _add_kls(answers, output[_PLACE], self._seen[0] - self._seen[1], mask)
            self._seen = []
            return output

        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            self._seen = []
            loss = super()._compute_loss(model, inputs)
            if "ref_per_token_logps" in inputs and self._seen:
                difference = self._seen[0] - inputs["ref_per_token_logps"]
                _add_kls(answers, inputs[_PLACE], difference, inputs["completion_mask"])
            self._seen = []
            return loss

        def _get_train_sampler(self, dataset: Any = None) -> Any:
            sampler = super()._get_train_sampler(dataset)
            sampler.set_epoch = partial(_set_epoch, sampler)
            return sampler

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            if answers.fresh and "loss" in logs:
                answers.fresh = False
                logs.update(answers.metrics())
            super().log(logs, start_time)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            # With several steps on the same answers a checkpoint may lie between two of them.
            if self._step % (self.args.steps_per_generation * self.num_iterations):
                folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
                torch.save({"step": self._step, "answers": self._buffered_inputs}, folder / _BUFFER)

        def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
            super()._load_optimizer_and_scheduler(checkpoint)
            if checkpoint is not None and (kept := Path(checkpoint) / _BUFFER).is_file():
                saved = torch.load(kept, map_location=self.args.device, weights_only=True)
                self._step, self._buffered_inputs = saved["step"], saved["answers"]

    Watched.__name__ = trainer.__name__
    return Watched


def _set_epoch(sampler: Any, epoch: int) -> None:
    """Put TRL's RepeatSampler before its shuffle of an epoch.

    It shuffles once an epoch from one generator, so in a resumed run it would begin again with the
    order of the first epoch, where transformers tells other samplers which epoch it is.
    """
    if not sampler.shuffle:
        return
    sampler.generator.manual_seed(sampler.seed)
    for _ in range(epoch):
        torch.randperm(sampler.num_samples, generator=sampler.generator)


@torch.no_grad()
def _add_kls(answers: AnswerLog, places: Any, difference: torch.Tensor, mask: torch.Tensor) -> None:
    """Sum over each answer's tokens. The first value stays: it is of the policy that drew the answer."""
    sums = (difference.float() * mask).sum(dim=1).tolist()
    for place, value, tokens in zip(places.tolist(), sums, mask.sum(dim=1).tolist(), strict=True):
        # After a resume between two steps on the same answers nothing else is known of them.
        if tokens and place < len(answers.kls) and answers.kls[place] is None:
            answers.kls[place] = value
