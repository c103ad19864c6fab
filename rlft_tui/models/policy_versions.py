"""``models/AGENT/vN``: the versions of a policy, each a folder of its own.

``policy/`` is a model that plain transformers loads, ``reward_model/`` the trained model that rewarded it,
if one did, ``training_results.json`` says what it was made from and how it went, ``training.log`` is what
the run printed. N counts the feedback (the rows of the data) that the version was made from; when there is
such a version already the next is vN-2.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError

RESULTS = "training_results.json"


@dataclass(frozen=True, slots=True)
class TrainingResults:
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
    agent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=agent))
    try:
        shutil.copytree(weights, draft / "policy", copy_function=_link)
        if reward_model is not None:
            shutil.copytree(reward_model, draft / "reward_model", copy_function=_link)
        if output.is_file():
            shutil.copy2(output, draft / "training.log")
        return _settle(agent, draft, results)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


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


def _settle(agent: Path, draft: Path, results: TrainingResults) -> TrainingResults:
    """Give the draft the first version name that is free."""
    draft.chmod(0o755)
    for at in range(1, 10_000):
        name = f"v{results.feedback_count}" + (f"-{at}" if at > 1 else "")
        target = agent / name
        if target.exists():
            continue
        reward_model = str(target / "reward_model") if (draft / "reward_model").is_dir() else ""
        values: dict[str, Any] = asdict(results) | {
            "version": name,
            "model_path": str(target / "policy"),
            "reward_model_path": reward_model,
        }
        (draft / RESULTS).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        try:
            draft.rename(target)
        except OSError:
            if target.exists():
                continue
            raise
        return TrainingResults(**values)
    raise RlftError("there are too many versions of this policy", where=str(agent))


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
