"""One PPO update after another: draw, judge, read, learn.

Stiennon et al. 2020's recipe on one model: the order of things below is the order of the paper's
section 3.4, each step in the module that its name says.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.batches import prompts_of_update
from rlft_tui.jobs.ppo.experience import Experience, make_experience, read_all
from rlft_tui.jobs.ppo.kl import KlController
from rlft_tui.jobs.ppo.learning import Learned, LearningSettings, learn
from rlft_tui.jobs.ppo.optimiser import make_optimizer, set_learning_rates
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.ranks import ALONE, Ranks
from rlft_tui.jobs.ppo.rollout import Never, Rollout
from rlft_tui.jobs.ppo.scores import ScoreShaping, is_score
from rlft_tui.runs.specs.ppo import PpoSpec

if TYPE_CHECKING:
    from rlft_tui.jobs.ppo.vllm_rollout import VllmRollout

Judge = Callable[[Sequence[Answer]], Sequence[Rewarded]]
"""Says what each answer earned."""


@dataclass(slots=True)
class Update:
    """What happened in one update."""

    number: int
    """From 1."""
    experience: Experience
    judgements: Sequence[Rewarded]
    """Of the answers that are learned from, in the readings' order."""
    missing: int
    """Answers left out because nothing judged them."""
    scores: Tensor
    """(B,) as learned from."""
    learned: Learned
    beta: float
    """The coefficient that this update's rewards were made with."""
    learning_rate: float
    seconds: dict[str, float] = field(default_factory=dict)
    """By phase: generate, judge, score, learn."""


class Trainer:
    """The state of a run between updates: weights, optimiser, beta, shaping, and how many are done."""

    def __init__(
        self,
        policy: Policy,
        rollout: Rollout | VllmRollout,
        judge: Judge | None,
        prompts: Sequence[list[int]],
        spec: PpoSpec,
        updates: int,
        ranks: Ranks = ALONE,
    ) -> None:
        """``prompts`` are token ids; ``updates`` is the whole run's number, for the learning rate. The
        first of ``ranks`` alone has a judge: a user's reward sees whole batches, and may keep a state."""
        self.ranks = ranks
        self.policy = policy
        self.rollout = rollout
        self.judge = judge
        self.prompts = prompts
        self.spec = spec
        self.updates = updates
        self.done = 0
        """Updates done: with the seed, it fixes every random number to come."""
        self.tokens = 0
        """Response tokens drawn so far."""
        self.optimizer = make_optimizer(policy, spec)
        self.controller = KlController(spec.init_kl_coef, spec.adaptive_kl, spec.target_kl, spec.kl_horizon)
        self.shaping = ScoreShaping(
            spec.center_scores,
            spec.normalize_scores,
            spec.score_clip,
            spec.missing_eos_penalty,
            spec.missing_eos,
        )
        self.learning = LearningSettings(
            epochs=spec.ppo_epochs,
            step_answers=spec.step_answers,
            # No process is to be without a pass.
            pass_rows=min(spec.mini_batch_size, math.ceil(spec.step_answers / ranks.size)),
            pass_tokens=pass_tokens_of(spec, policy),
            clip=spec.cliprange,
            dual_clip=spec.dual_clip,
            clip_value=spec.cliprange_value,
            value_coefficient=spec.vf_coef,
            entropy_coefficient=spec.entropy_coef,
            max_grad_norm=spec.max_grad_norm,
            early_stop_kl=spec.early_stop_kl,
        )

    def update(self, stopped: Callable[[], bool] = Never) -> Update | None:
        """The next update; None, and nothing changed, when it was stopped while drawing answers."""
        spec, number = self.spec, self.done
        seconds: dict[str, float] = {}
        with timed(seconds, "generate"):
            places = prompts_of_update(len(self.prompts), spec.batch_size, number, spec.seed)
            drawn = self._draw(places, stopped)
        if drawn is None:
            return None
        with timed(seconds, "judge"):
            said = self.ranks.agree(() if self.judge is None else self.judge(drawn))
        kept = [index for index, judgement in enumerate(said) if is_score(judgement.total)]
        if not kept:
            raise RlftError(
                f"no reward said anything about any of the {len(drawn)} answers of update {number + 1}",
                remedy="Try the reward: rlft rewards test",
            )
        answers, judgements = [drawn[index] for index in kept], [said[index] for index in kept]
        with timed(seconds, "score"):
            first = self.learning.passes(answers, spec.seed, number, epoch=0)
            mine = [self.ranks.share(step) for step in first]
            readings = read_all(
                self.policy, answers, itertools.chain(*mine), self.ranks, ahead=self._ahead(mine[0])
            )
        scores = self.shaping.shape([one.total for one in judgements], [answer.ended for answer in answers])
        beta = self.controller.coefficient
        experience = make_experience(
            readings,
            scores,
            beta=beta,
            estimator=spec.kl_estimator,
            gamma=spec.gamma,
            lam=spec.lam,
            whiten_rewards=spec.whiten_rewards,
            whiten_advantages=spec.whiten_advantages,
            bootstrap_truncated=spec.bootstrap_truncated,
            importance_cap=spec.importance_cap,
        )
        rate = set_learning_rates(self.optimizer, spec, number, self.updates)
        with timed(seconds, "learn"):
            learned = learn(
                self.policy,
                self.optimizer,
                experience,
                self.learning,
                seed=spec.seed,
                update=number,
                ranks=self.ranks,
            )
        in_unit = experience.kl_per_sequence if spec.kl_unit == "sequence" else experience.kl_per_token
        self.controller.observe(in_unit, len(answers))
        self.done = number + 1
        self.tokens += sum(len(answer.response) for answer in drawn)
        return Update(
            self.done,
            experience,
            judgements,
            len(drawn) - len(kept),
            scores,
            learned,
            beta,
            rate,
            seconds,
        )

    def _draw(self, places: Sequence[int], stopped: Callable[[], bool]) -> list[Answer] | None:
        """An answer to each prompt, drawn by all processes; None when one of them was stopped."""
        own = self.ranks.share(range(len(places)))
        mine = self.rollout.draw(self.prompts, places, "update", self.done, only=own, stopped=stopped)
        found: dict[int, Answer] = {}
        for rank, part in enumerate(self.ranks.gather(mine)):
            if part is None:
                return None
            found.update(zip(range(rank, len(places), self.ranks.size), part, strict=True))
        return [found[index] for index in range(len(places))]

    def _ahead(self, groups: list[list[int]]) -> list[list[int]]:
        """Of the first step's passes, those read once for scores and gradients both: its only one, so that
        no more is held than while learning."""
        return groups if len(groups) == 1 and not self.learning.entropy_coefficient else []

    def state(self) -> dict[str, Any]:
        """Everything but the weights that the next update depends on."""
        return {
            "done": self.done,
            "tokens": self.tokens,
            "optimizer": self.optimizer.state_dict(),
            "kl_coefficient": self.controller.coefficient,
            "shaping": self.shaping.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The state that ``state`` gave; the weights are loaded apart."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.controller.coefficient = state["kl_coefficient"]
        self.shaping.restore(state["shaping"])
        self.done = state["done"]
        self.tokens = state["tokens"]


def pass_tokens_of(spec: PpoSpec, policy: Policy) -> int:
    """Tokens a pass, chosen by where it runs if the spec leaves it open."""
    return spec.pass_tokens or (1024 if policy.device.type == "cpu" else 8192)


@contextmanager
def timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Add the wall time of what is done inside to a phase."""
    began = time.perf_counter()
    yield
    seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - began
