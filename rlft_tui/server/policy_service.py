"""Policies from scores: what is stored, what would be trained, the two runs, the versions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.datasets.verdicts_table import scored_answers
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.feedback import RECENT, Feedback, guide_word, variation_warning
from rlft_tui.models.models_table import list_models
from rlft_tui.models.policy_versions import TrainingResults, read_versions
from rlft_tui.policies.chain import Chain, ScoreSummary, chain, check_agent, check_count, held_out_share
from rlft_tui.policies.rough_estimate import PastRun, estimated_minutes
from rlft_tui.policies.training_config import TrainingConfig, training_config
from rlft_tui.record import Record
from rlft_tui.runs.machine import look_at_machine
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.runs.run_status import ACTIVE, RunSummary, status_word
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.policy_shapes import (
    DryRunAnswer,
    DryRunModel,
    GivenFeedback,
    PolicyVersion,
    StoredFeedback,
    TrainedAnswer,
    TrainRequest,
)
from rlft_tui.server.services import Services

LABELER = "policy-service"
"""Under whose name scores are stored that come through the service."""
_NOT_FROM_OUTSIDE = ("trackers",)
"""Settings that send data elsewhere."""
_PAST_RUNS = 20


class Training(Record, frozen=True):
    """A chain of runs that was launched."""

    agent: str
    runs: Chain
    feedback_count: int


def add_feedback(services: Services, agent: str, given: GivenFeedback) -> StoredFeedback:
    """Store a score for a policy; it survives any crash once this returns."""
    check_agent(agent)
    one = Feedback(
        id=new_id(),
        prompt=given.prompt,
        response=given.response,
        score=given.score,
        kind="score",
        labeler_id=LABELER,
        run_id=given.run_id,
        notes=given.notes,
        agent=agent,
    )
    services.scores.add(one)
    scores = _scores(services, agent)
    summary = ScoreSummary.of(scores)
    return StoredFeedback(
        feedback_id=one.id,
        feedback_count=summary.count,
        score_mean=summary.mean,
        score_std=summary.std,
        guide=guide_word(given.score),
        warning=variation_warning(scores[-RECENT:]),
    )


def dry_run(services: Services, agent: str, asked: TrainRequest, *, outside: bool) -> DryRunAnswer:
    """What ``start`` would train; nothing is stored."""
    config, model, summary = _plan(services, agent, asked, outside)
    minutes = estimated_minutes(
        config, Path(model.path), summary.count, _past_runs(services), gpu=bool(look_at_machine().gpus)
    )
    return DryRunAnswer(
        feedback_count=summary.count,
        estimated_steps=config.max_steps,
        estimated_time_minutes=round(minutes, 1),
        score_mean=summary.mean,
        score_std=summary.std,
        modelConfig=DryRunModel(**config.model_config_line),
    )


def start(services: Services, agent: str, asked: TrainRequest, *, outside: bool) -> Training:
    """Freeze the scores and put both runs in line; RlftError when either cannot be."""
    config, model, summary = _plan(services, agent, asked, outside)
    dataset = build_dataset(
        services.database,
        services.workspace,
        DatasetSpec(kind="scored", agent=agent, heldout_fraction=held_out_share()),
        now=time.time(),
    )
    runs = chain(config, agent, model, dataset.hash, services.workspace.runs)
    services.supervisor.launch(runs.reward)
    try:
        services.supervisor.launch({**runs.ppo, "after": runs.reward_id})
    except RlftError:
        _take_back(services, runs.reward_id)
        raise
    return Training(agent, runs, summary.count)


def outcome(services: Services, training: Training) -> TrainedAnswer | None:
    """The version, once there is one; ConflictError when there will be none without somebody's doing."""
    ppo = services.supervisor.summary(training.runs.ppo_id)
    if ppo.status == "finished":
        for made in read_versions(services.workspace.models, training.agent):
            if made.run_id == ppo.id:
                return _trained(made)
        raise NotFoundError("the version is gone", where=ppo.id)
    if ppo.status not in ACTIVE:
        raise ConflictError(f"the training did not finish: {_reason(ppo)}", where=ppo.id)
    reward = services.supervisor.summary(training.runs.reward_id)
    if reward.status in ("stopped", "paused"):
        raise ConflictError(
            f"the reward model's run is {status_word(reward)}",
            where=reward.id,
            remedy=f"The training goes on after rlft runs resume {reward.id}",
        )
    return None


def versions(services: Services, agent: str) -> tuple[PolicyVersion, ...]:
    """Oldest first; NotFoundError where nothing is known of the policy."""
    check_agent(agent)
    try:
        found = read_versions(services.workspace.models, agent)
    except NotFoundError:
        if _scores(services, agent):
            return ()
        raise NotFoundError(
            f"no policy called {agent!r}", remedy=f"POST /api/policies/feedback/{agent} begins one"
        ) from None
    return tuple(
        PolicyVersion(
            version=one.version,
            policy_id=f"{one.agent}-{one.version}",
            status=one.status,
            base_model=one.base_model,
            model_path=one.model_path,
            reward_model_path=one.reward_model_path,
            run_id=one.run_id,
            feedback_count=one.feedback_count,
            training_steps=one.training_steps,
            created_at=one.created_at,
            metrics={
                "rewardMean": one.final_reward_mean,
                "rewardStd": one.final_reward_std,
                **one.metrics,
            },
        )
        for one in found
    )


def _plan(
    services: Services, agent: str, asked: TrainRequest, outside: bool
) -> tuple[TrainingConfig, ModelSource, ScoreSummary]:
    """Settings, base model and scores, all of them checked."""
    check_agent(agent)
    given = asked.model_dump(exclude={"dry_run", "wait"})
    name = asked.base_model or services.settings.default_model
    config = training_config({**given, "base_model": name})
    if outside and (kept := [name for name in _NOT_FROM_OUTSIDE if name in config.further()]):
        raise RlftError(f"{kept[0]} is not set from another machine")
    with services.database.reader() as connection:
        if outside and asked.base_model not in ("", services.settings.default_model):
            known = [model.name for model in list_models(connection)]
            if asked.base_model not in known:
                # A path would tell what lies on the server's disk.
                raise NotFoundError(
                    f"no model called {asked.base_model[:80]!r}",
                    remedy="From another machine a model is named as in GET /api/v1/models",
                )
        model = resolve_model(connection, name)
    summary = ScoreSummary.of(_scores(services, agent))
    check_count(summary.count)
    return config, model, summary


def _scores(services: Services, agent: str) -> list[float]:
    """The policy's scores in the order they were given."""
    with services.database.reader() as connection:
        found = scored_answers(connection, DatasetSpec(kind="scored", agent=agent))
    # Ids sort by time.
    return [answer.score for answer in found]


def _past_runs(services: Services) -> Iterator[PastRun]:
    ppo = [run for run in services.supervisor.summaries() if run.method == "ppo" and run.status == "finished"]
    for run in ppo[:_PAST_RUNS]:
        with contextlib.suppress(RlftError):
            yield PastRun(run, services.supervisor.spec(run.id))


def _take_back(services: Services, run_id: str) -> None:
    """End a run whose follower could not be launched."""
    supervisor = services.supervisor
    with contextlib.suppress(RlftError):
        waits = supervisor.summary(run_id).status == "queued"
        (supervisor.control.cancel if waits else supervisor.control.kill)(run_id)


def _reason(run: RunSummary) -> str:
    return run.error or (run.exit.reason if run.exit else "") or status_word(run)


def _trained(made: TrainingResults) -> TrainedAnswer:
    return TrainedAnswer(
        policy_id=f"{made.agent}-{made.version}",
        version=made.version,
        model_path=made.model_path,
        reward_model_path=made.reward_model_path,
        feedback_count=made.feedback_count,
        training_steps=made.training_steps,
        reward_mean=made.final_reward_mean,
        reward_std=made.final_reward_std,
    )
