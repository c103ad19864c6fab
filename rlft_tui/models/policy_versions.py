"""``models/AGENT/vN``: the versions of a policy, each a folder of its own.

``policy/`` is a model that plain transformers loads, ``reward_model/`` the trained model that rewarded it,
if one did (models/reward_head.py), ``training_results.json`` says what it was made from and how it went,
``training.log`` is what the runs printed, the reward model's first. N counts the feedback (the rows of the
data) that the version was made from; when there is such a version already the next is vN-2.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from msgspec import field
from msgspec.structs import asdict

from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.models.reward_head import write_reward_model
from rlft_tui.record import Record

RESULTS = "training_results.json"


class TrainingResults(Record, frozen=True):
    """What stands in ``training_results.json``."""

    agent: str
    version: str
    run_id: str
    method: str
    base_model: str
    dataset: str
    feedback_count: int
    training_steps: int
    model_path: str
    reward_model_path: str = ""
    final_reward_mean: float | None = None
    """Of the last step, or of the held-out prompts where they were rewarded."""
    final_reward_std: float | None = None
    metrics: dict[str, float | str] = field(default_factory=dict)
    """Last value of each metric."""
    created_at: float = 0.0
    status: str = "trained"

    @classmethod
    def load(cls, path: Path | str) -> TrainingResults:
        """From a version's folder or its ``training_results.json``; RlftError for anything else."""
        return load_results(Path(path))


def publish(
    models: Path,
    results: TrainingResults,
    *,
    weights: Path,
    output: Path,
    reward_model: Path | None = None,
) -> TrainingResults:
    """Make the version's folder whole in one step; the results with its name and place.

    Safe to repeat: a version that this run has made already is returned as it is. ``results`` comes
    without version and paths. The weights are linked where the disk allows, so they take no room twice.
    """
    agent = models / results.agent
    for folder in sorted(agent.glob("v*")):
        made = _read(folder)
        if made is not None and made.run_id == results.run_id:
            return made
    draft = _draft(agent, weights, output, reward_model)
    try:
        return _settle(agent, draft, results)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def publish_at(
    target: Path, results: TrainingResults, *, weights: Path, output: Path, reward_model: Path | None = None
) -> TrainingResults:
    """Make this very folder the version's, whole in one step; ConflictError when something is in it."""
    if target.exists() and any(target.iterdir()):
        raise ConflictError("the folder is not empty", where=str(target), remedy="Name another output_dir")
    draft = _draft(target.parent, weights, output, reward_model)
    try:
        made = _write_results(draft, target, results)
        # On an empty folder too, and on nothing else.
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return made


def read_versions(models: Path, agent: str) -> tuple[TrainingResults, ...]:
    """All versions of a policy, oldest first; NotFoundError when there is no such policy."""
    folder = models / agent
    found = [results for path in folder.glob("v*") if (results := _read(path)) is not None]
    if not found:
        raise NotFoundError(
            f"no policy called {agent!r}", where=str(folder), remedy=f"rlft train dpo --policy {agent}"
        )
    return tuple(sorted(found, key=lambda results: results.created_at))


def load_results(path: Path) -> TrainingResults:
    """From a ``training_results.json``, or the version's folder; RlftError for anything else."""
    file = path / RESULTS if path.is_dir() else path
    try:
        return TrainingResults(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFoundError("no such training results", where=str(file)) from None
    except (ValueError, TypeError) as error:
        raise RlftError(f"not training results: {error}", where=str(file)) from None


def _draft(parent: Path, weights: Path, output: Path, reward_model: Path | None) -> Path:
    """A hidden folder beside the versions with everything but the results."""
    parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=parent))
    try:
        shutil.copytree(weights, draft / "policy", copy_function=_link)
        if reward_model is not None:
            write_reward_model(reward_model, draft / "reward_model", _link)
        _write_log(draft / "training.log", reward_model, output)
        draft.chmod(0o755)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return draft


def _settle(agent: Path, draft: Path, results: TrainingResults) -> TrainingResults:
    """Give the draft the first version name that is free."""
    for at in range(1, 10_000):
        target = agent / (f"v{results.feedback_count}" + (f"-{at}" if at > 1 else ""))
        if target.exists():
            continue
        made = _write_results(draft, target, results)
        try:
            draft.rename(target)
        except OSError:
            if target.exists():
                continue
            raise
        return made
    raise RlftError("there are too many versions of this policy", where=str(agent))


def _write_results(draft: Path, target: Path, results: TrainingResults) -> TrainingResults:
    """The results with the names and paths that they have once the draft is ``target``."""
    has_reward_model = (draft / "reward_model").is_dir()
    values: dict[str, Any] = asdict(results) | {
        "version": target.name,
        "model_path": str(target / "policy"),
        "reward_model_path": str(target / "reward_model") if has_reward_model else "",
    }
    (draft / RESULTS).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return TrainingResults(**values)


def _write_log(target: Path, reward_model: Path | None, output: Path) -> None:
    """What the run printed, behind what the run printed that made its reward model."""
    sources = [output] if reward_model is None else [reward_model.with_name(output.name), output]
    if printed := [path for path in sources if path.is_file()]:
        with target.open("wb") as stream:
            for path in printed:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, stream)


def _read(folder: Path) -> TrainingResults | None:
    try:
        return load_results(folder)
    except RlftError:
        return None


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        # Another disk, or one that knows no links.
        shutil.copy2(source, target)
    return target
