"""What GRPO and RLOO share: answers drawn while training, rewarded, and learned from in groups."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rlft_tui.datasets.rows import Conversation, PromptRow
from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.method import Measurer, Method, Reference, Rewarded, Rewarder, Setup
from rlft_tui.jobs.reward_functions import ConversationScorer, RunRewards, columns_of, try_rewards
from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.specs.base import ModelSource, Sampling
from rlft_tui.runs.specs.online import OnlineSpec

O = TypeVar("O", bound=OnlineSpec)  # noqa: E741

RESERVED = frozenset(
    {"completion", "completions", "completion_ids", "prompts", "trainer_state", "log_extra", "log_metric"}
    | {"image", "images", "environment"}
)
"""Columns that TRL gives a meaning of its own."""
UNITS = {
    "reward": "reward",
    "reward_std": "reward",
    "frac_reward_zero_std": "share of groups",
    "entropy": "nats/token",
    "step_time": "s",
    **{f"completions/{part}_length": "tokens" for part in ("mean", "min", "max")},
    "cispo_clip_ratio": "share of tokens",
    **{f"completions/{part}_terminated_length": "tokens" for part in ("mean", "min", "max")},
    "completions/clipped_ratio": "share of answers",
    "completions/distinct_2": "share",
    "completions/twins": "share of answers",
    **{
        f"clip_ratio/{part}": "share"
        for part in ("low_mean", "low_min", "high_mean", "high_max", "region_mean")
    },
    "heldout/reward": "reward",
    "heldout/reward_std": "reward",
    "heldout/answer_tokens": "tokens",
    "heldout/ended": "share of answers",
}


class Online(Method[O]):
    """What differs are the trainer's class, its own arguments, and the estimator of the KL."""

    kl_unit: ClassVar[str]
    """Unit and estimator of what the trainer logs as ``kl``: it is another one in each method."""

    def __init__(self) -> None:
        self.units = {**UNITS, "kl": self.kl_unit}
        self._rewards: RunRewards | None = None
        self._answers: Any = None

    def check(self, job: Job, spec: O, rows: Sequence[PromptRow]) -> None:
        if spec.vllm and find_spec("vllm") is None:
            raise UnavailableError(
                "vllm needs the package, which is not installed",
                remedy="pip install 'trl[vllm]', or leave vllm off",
            )
        try_rewards(spec.rewards, job.folder.rewards, rows, spec.reward_seconds)

    @abstractmethod
    def trainer_class(self) -> tuple[type[Any], type[Any]]:
        """TRL's config and trainer."""

    @abstractmethod
    def own_arguments(self, spec: O) -> dict[str, Any]:
        """What this method's config takes besides what both take."""

    def trainer(self, setup: Setup[O]) -> Any:
        from datasets import Dataset

        from rlft_tui.jobs.answer_log import AnswerLog, watched
        from rlft_tui.jobs.decoding import end_ids

        spec = setup.spec
        if spec.vllm and setup.device != "cuda":
            raise UnavailableError(
                "vllm needs a GPU", remedy="Leave vllm off: transformers draws the answers"
            )
        rewards = self.rewards(setup)
        rows = fitting(setup)
        setup.job.stage("tokenising", detail=f"{len(rows)} prompts")
        config, trainer = self.trainer_class()
        self._answers = AnswerLog(rewards, end_ids(setup.model, setup.tokenizer))
        made = watched(trainer, self._answers)(
            model=setup.model,
            reward_funcs=rewards.functions(),
            args=config(
                **setup.arguments,
                **self.own_arguments(spec),
                use_vllm=spec.vllm,
                vllm_gpu_memory_utilization=spec.vllm_memory,
                num_generations=spec.generations,
                max_completion_length=spec.max_new_tokens,
                temperature=spec.temperature,
                top_p=spec.top_p,
                top_k=0,
                num_iterations=spec.iterations,
                epsilon=spec.clip,
                mask_truncated_completions=spec.mask_truncated,
                reward_weights=list(rewards.weights),
                remove_unused_columns=False,
            ),
            train_dataset=Dataset.from_list(training_rows(rows)),
            processing_class=setup.tokenizer,
            peft_config=setup.peft_config,
        )
        if made.ref_model is not None and spec.model.adapter:
            # TRL loads the base again; this run began at base and adapter together.
            made.ref_model.load_state_dict(setup.model.state_dict())
        return made

    def measurer(self, setup: Setup[O], trainer: Any, reference: Reference | None) -> Measurer | None:
        from rlft_tui.jobs.heldout_reward import HeldOutReward

        spec = setup.spec
        return HeldOutReward(
            setup.heldout_rows[: spec.evaluate_prompts],
            setup.tokenizer,
            self.rewards(setup),
            sampling=Sampling(
                temperature=spec.temperature, top_p=spec.top_p, max_new_tokens=spec.max_new_tokens
            ),
            seed=spec.seed,
            batch_size=max(8, spec.batch_size),
        )

    def rewarder(self, setup: Setup[O]) -> Rewarder | None:
        rewards = self.rewards(setup)
        columns = {str(row.prompt): row.columns for row in (*setup.rows, *setup.heldout_rows)}

        def reward(
            prompts: Sequence[Conversation], texts: Sequence[str], token_ids: Sequence[Sequence[int]]
        ) -> list[Rewarded]:
            rows = [PromptRow(prompt, columns=columns.get(str(prompt), {})) for prompt in prompts]
            answers = [[{"role": "assistant", "content": text}] for text in texts]
            return rewards.reward(prompts, answers, token_ids, columns_of(rows))

        return reward

    def callbacks(self, setup: Setup[O], trainer: Any) -> Sequence[Any]:
        from rlft_tui.jobs.answer_log import AnswerEvents

        return [AnswerEvents(setup.job, self._answers, setup.spec.answers_every)]

    def rewards(self, setup: Setup[O]) -> RunRewards:
        """The run's reward functions, loaded once."""
        if self._rewards is None:
            self._rewards = RunRewards(
                setup.spec.rewards,
                setup.job.folder.rewards,
                load_model=model_loader(setup),
                seconds=setup.spec.reward_seconds,
                tell=lambda name, what: setup.job.alarm(
                    0,
                    Alarm("reward not finite", f"reward {name} {what}", "Return None where it cannot judge"),
                ),
            )
            for name in self._rewards.names:
                keys = (f"rewards/{name}/mean", f"rewards/{name}/std", f"heldout/rewards/{name}")
                self.units = {**self.units, **dict.fromkeys(keys, "reward")}
        return self._rewards


def model_loader(setup: Setup[Any]) -> Callable[[ModelSource], ConversationScorer]:
    """Loads a trained reward model beside the policy."""

    def load(source: ModelSource) -> ConversationScorer:
        from rlft_tui.jobs.reward_scoring import RewardModel

        folder = Path(source.adapter or source.path)
        return RewardModel(folder, source.path, setup.dtype, setup.device)

    return load


def fitting(setup: Setup[Any]) -> list[PromptRow]:
    """The rows whose prompt leaves room for an answer; RlftError when there is none."""
    from rlft_tui.jobs.decoding import prompt_ids

    room = setup.spec.max_length - setup.spec.max_new_tokens
    lengths = [len(prompt_ids(setup.tokenizer, row.prompt)) for row in setup.rows]
    kept = [row for row, length in zip(setup.rows, lengths, strict=True) if length <= room]
    if not kept:
        raise RlftError(
            f"no prompt leaves room for {setup.spec.max_new_tokens} tokens of answer in max_length "
            f"({setup.spec.max_length})",
            remedy=f"Set max_length to {min(lengths) + setup.spec.max_new_tokens} or more",
        )
    if len(kept) < len(lengths):
        setup.job.alarm(
            0,
            Alarm(
                "prompts too long",
                f"{len(lengths) - len(kept)} of {len(lengths)} prompts are left out: with an answer they "
                f"would be longer than max_length ({setup.spec.max_length} tokens)",
                "Raise max_length if they matter",
            ),
        )
    return kept


def training_rows(rows: Sequence[PromptRow]) -> list[dict[str, Any]]:
    """As TRL reads them: every row with every column."""
    names = dict.fromkeys(name for row in rows for name in row.columns if name not in RESERVED)
    return [{"prompt": row.prompt, **{name: row.columns.get(name) for name in names}} for row in rows]
