"""From scored answers to a policy in one call, without a workspace or its server.

The same jobs as a workspace runs, as subprocesses in run folders beside the output: a reward model on
the scores, then PPO against it. What is left is one version's folder (models/policy_versions.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.datasets.dataset_files import content_hash, encode_rows, write_dataset
from rlft_tui.datasets.rows import ScoredRow
from rlft_tui.datasets.split import split_rows
from rlft_tui.errors import RlftError
from rlft_tui.ids import derived_id
from rlft_tui.models.policy_versions import TrainingResults, publish_at
from rlft_tui.models.pull import require_training_stack
from rlft_tui.paths import MODELS_VARIABLE
from rlft_tui.policies.base_model import locate
from rlft_tui.policies.chain import ScoreSummary, chain, check_agent, check_count, held_out_share
from rlft_tui.policies.training_config import TrainingConfig, training_config
from rlft_tui.runs import launcher
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.run_state import Processes, RunState
from rlft_tui.runs.run_status import RunSummary

LOG_VARIABLE = "LOG_LEVEL"
log = logging.getLogger("rlft.policies")
_LOOK_SECONDS = 0.2


class RLHFTrainer:
    """Trains a policy on scored answers."""

    def __init__(self, config: TrainingConfig | None = None) -> None:
        """RlftError for a setting that does not exist or does not fit the others."""
        self.config = training_config((config or TrainingConfig()).model_dump())

    def train(
        self,
        feedbacks: Iterable[Mapping[str, Any] | Any],
        output_dir: str | Path | None = None,
        *,
        agent: str = "",
    ) -> TrainingResults:
        """Train the reward model, then the policy; returns when ``output_dir`` is whole.

        ``feedbacks``: mappings, or objects, with prompt, response and score (0 to 1); ten at least.
        ``output_dir``: the version's folder, which must not exist or be empty; by default
        ``$MODELS_DIR/AGENT/vN``, N the number of scores. ``agent``: the policy's name, by default that of the
        folder around ``output_dir``. RlftError with the last line of what went wrong;
        the run folders then stay beside the output, named in the error. An interrupt ends the job.
        """
        _log_as_asked()
        rows = [_row(number, one) for number, one in enumerate(feedbacks)]
        check_count(len(rows))
        agent = check_agent(agent) if agent else _agent_around(output_dir)
        require_training_stack()
        target = _target(output_dir, agent, len(rows))
        if target.exists() and any(target.iterdir()):
            raise RlftError("the folder is not empty", where=str(target), remedy="Name another output_dir")
        model = locate(self.config.base_model)
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-runs-", dir=target.parent))
        dataset = _freeze(rows, work, agent)
        runs = chain(self.config, agent, model, dataset.hash, work)
        log.info("%s: %d scores, %s", agent, len(rows), model.name)
        reward = _run(work, runs.reward, dataset)
        ppo = _run(work, runs.ppo, dataset)
        made = publish_at(
            target,
            _results(ppo[1], agent, runs.ppo_id, model.path, dataset, len(rows)),
            weights=ppo[0].policy if ppo[0].policy.is_dir() else ppo[0].model,
            output=ppo[0].output,
            reward_model=reward[0].model,
        )
        shutil.rmtree(work, ignore_errors=True)
        log.info("%s: %s", agent, made.model_path)
        return made


def _agent_around(output_dir: str | Path | None) -> str:
    """The name of the folder that the version goes into, where it can be a policy's."""
    if output_dir is not None:
        with contextlib.suppress(RlftError):
            return check_agent(Path(output_dir).expanduser().absolute().parent.name)
    return "default"


def _target(output_dir: str | Path | None, agent: str, count: int) -> Path:
    if output_dir is not None:
        return Path(output_dir).expanduser().absolute()
    return Path(os.environ.get(MODELS_VARIABLE) or "models").absolute() / agent / f"v{count}"


def _row(number: int, one: Mapping[str, Any] | Any) -> ScoredRow:
    """RlftError names the entry and what is wrong with it."""
    values = one if isinstance(one, Mapping) else {name: getattr(one, name, None) for name in _NEEDED}
    prompt, response, score = (values.get(name) for name in _NEEDED)
    where = f"feedbacks[{number}]"
    if not isinstance(prompt, str) or not isinstance(response, str) or not prompt.strip():
        raise RlftError("needs prompt, response and score", where=where)
    if not response.strip():
        raise RlftError("the response is empty", where=where)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
        raise RlftError(f"a score is 0 to 1, not {score!r}", where=where)
    return ScoredRow(
        [{"role": "user", "content": prompt}],
        [{"role": "assistant", "content": response}],
        float(score),
        derived_id("feedback", str(number), prompt, response),
    )


_NEEDED = ("prompt", "response", "score")


def _freeze(rows: list[ScoredRow], work: Path, agent: str) -> Dataset:
    """The rows as a data set's folder in ``work``."""
    summary = ScoreSummary.of([row.score for row in rows])
    if summary.std == 0:
        log.warning("every score is %g: equal scores teach nothing", summary.mean)
    train, heldout = split_rows(rows, heldout_fraction=held_out_share())
    files = encode_rows(train), encode_rows(heldout)
    digest = content_hash(*files)
    dataset = Dataset(
        digest, "", str(work / ".dataset"), len(train), len(heldout), time.time(), {}, kind="scored"
    )
    write_dataset(Path(dataset.path), dataset, DatasetSpec(kind="scored", agent=agent), *files)
    return dataset


def _run(work: Path, values: dict[str, Any], dataset: Dataset) -> tuple[RunFolder, RunSummary]:
    """Start a run and wait for its end; RlftError when it is not a good one."""
    spec = parse_spec(values)
    folder = launcher.launch(work, spec, dataset=Path(dataset.path))
    state = RunState(spec, str(folder.root), time.time())
    events = EventReader(folder.events)
    try:
        while launcher.is_active(folder):
            _follow(events, state, spec.method)
            time.sleep(_LOOK_SECONDS)
    except BaseException:
        launcher.stop(folder)
        raise
    _follow(events, state, spec.method)
    summary = state.summary(Processes(folder.read_attempt(), folder.read_exit(), False, False))
    if summary.status != "finished":
        reason = summary.error or (summary.exit.reason if summary.exit else "") or summary.status
        raise RlftError(f"the {spec.method} run did not finish: {reason}", where=str(folder.root))
    return folder, summary


def _follow(events: EventReader, state: RunState, method: str) -> None:
    for event in events.read():
        state.apply(event)
        if event.kind == "metrics":
            reward = state.metrics.get("reward")
            log.debug("%s: step %d of %d, reward %s", method, state.step, state.steps, reward)
        elif event.kind == "alert":
            log.warning("%s: %s", method, event.fields.get("message"))


def _results(
    summary: RunSummary, agent: str, run_id: str, base: str, dataset: Dataset, count: int
) -> TrainingResults:
    def first(*keys: str) -> float | None:
        found = (summary.metrics.get(key) for key in keys)
        return next((value for value in found if isinstance(value, float)), None)

    return TrainingResults(
        agent=agent,
        version="",
        run_id=run_id,
        method="ppo",
        base_model=base,
        dataset=dataset.hash,
        feedback_count=count,
        training_steps=summary.step,
        model_path="",
        final_reward_mean=first("heldout/reward", "reward"),
        final_reward_std=first("heldout/reward_std", "reward_std"),
        metrics=summary.metrics,
        created_at=summary.ended or time.time(),
    )


def _log_as_asked() -> None:
    """$LOG_LEVEL, where it is set, shows the training's progress on stderr."""
    level = logging.getLevelNamesMapping().get(os.environ.get(LOG_VARIABLE, "").upper())
    if level is not None:
        log.setLevel(level)
        if not logging.getLogger().handlers and not log.handlers:
            log.addHandler(logging.StreamHandler())
