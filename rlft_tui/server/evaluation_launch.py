"""What an evaluation is given at its launch: the frozen suite, its rewards, and what was measured already."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.evaluations.evaluations_table import runs_with
from rlft_tui.evaluations.item_log import ITEMS, encode_item, read_items
from rlft_tui.evaluations.sandbox.sandbox import require_sandbox
from rlft_tui.evaluations.suites.freeze import MANIFEST, SUITE, FrozenTask, freeze_suite, tasks_of
from rlft_tui.evaluations.suites.read_suite import find_suite, read_suite
from rlft_tui.evaluations.suites.tasks import CodeTask, HarnessTask, TextTask
from rlft_tui.paths import Workspace
from rlft_tui.runs.specs.base import ModelSource, RunSpec
from rlft_tui.runs.specs.evaluate import EvaluateSpec
from rlft_tui.runs.specs.rewards import RewardPart
from rlft_tui.runs.specs.training import PolicySpec
from rlft_tui.server.model_sources import resolve_model


def with_suite(
    workspace: Workspace, settings: Settings, database: Database, values: dict[str, Any]
) -> dict[str, Any]:
    """The values of an evaluation with what follows from its suite and its model filled in.

    ``values["model"]`` is resolved already. RlftError for a suite that cannot be had.
    """
    suite = read_suite(find_suite(str(values.get("suite", "")), workspace.root))
    if any(isinstance(task, HarnessTask) for task in suite.task) and find_spec("lm_eval") is None:
        raise UnavailableError(
            "the suite has tasks of lm-eval, which is not installed",
            where=f"suite {values.get('suite')}",
            remedy="pip install 'rlft_tui[eval]'",
        )
    if any(isinstance(task, CodeTask) for task in suite.task):
        require_sandbox()
    texts = [task for task in suite.task if isinstance(task, TextTask)]
    filled = dict(values)
    rewards = {part.model_dump_json(): part for task in texts for part in task.rewards}
    filled["rewards"] = [part.model_dump(mode="json") for part in rewards.values()]
    model = ModelSource.model_validate(values["model"])
    filled["model_key"] = model_key(model)
    with database.reader() as connection:
        if isinstance(values.get("reference"), str) and values["reference"]:
            filled["reference"] = resolve_model(connection, values["reference"]).model_dump()
        elif any(task.fluency for task in texts):
            if model.adapter:
                base = ModelSource(name=Path(model.path).name, path=model.path)
            else:
                base = resolve_model(connection, settings.default_model)
            filled["reference"] = base.model_dump()
    return filled


def evaluation_files(
    workspace: Workspace, database: Database, spec: EvaluateSpec, *, fresh: bool = False
) -> dict[str, bytes]:
    """What the run folder begins with: the suite, and the items of tasks that this very model was measured
    on before with the same settings. ``fresh`` measures all anew."""
    about = {
        "seed": spec.seed,
        "precision": spec.precision,
        "reference": model_key(spec.reference) if spec.reference else "",
    }
    if spec.rewards:
        about["rewards"] = _rewards_hash(workspace.rewards, spec.rewards)
    files = freeze_suite(spec.suite, workspace.root, about, most=spec.items)
    if fresh:
        return files
    tasks = tasks_of(files[f"{SUITE}/{MANIFEST}"], workspace.root)
    known = _measured(database, spec, tasks)
    lines: list[bytes] = []
    for task in tasks:
        if task.settings in known:
            items = read_items(workspace.runs / known[task.settings] / ITEMS)
            lines += [
                encode_item(item)
                for item in items
                if item.settings == task.settings and item.task == task.name and item.suite == spec.suite
            ]
    if lines:
        files[ITEMS] = b"".join(lines)
    return files


def training_files(workspace: Workspace, spec: RunSpec) -> dict[str, bytes]:
    """The suite that a training run is watched by, where it names one."""
    if not isinstance(spec, PolicySpec) or not spec.evaluate_suite:
        return {}
    suite = read_suite(find_suite(spec.evaluate_suite, workspace.root))
    for task in suite.task:
        unfit = isinstance(task, HarnessTask) or (
            isinstance(task, TextTask) and (task.rewards or task.fluency)
        )
        if isinstance(task, CodeTask):
            require_sandbox()
        if unfit:
            raise RlftError(
                f"task {task.name} needs other models or packages beside the one being trained",
                where=f"suite {spec.evaluate_suite}",
                remedy="Watch with another suite, and run this one afterwards: rlft eval run",
            )
    return freeze_suite(spec.evaluate_suite, workspace.root, {"seed": spec.seed, "precision": spec.precision})


def model_key(source: ModelSource) -> str:
    """Hash of where the weights lie, how large they are and when they were written."""
    state = hashlib.sha256()
    for place in (source.path, source.adapter):
        state.update(place.encode() + b"\0")
        folder = Path(place)
        if place and folder.is_dir():
            for path in sorted(folder.glob("*")):
                if path.suffix in (".safetensors", ".bin", ".gguf") or path.name.endswith("config.json"):
                    status = path.stat()
                    state.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return state.hexdigest()[:16]


def _rewards_hash(folder: Path, rewards: tuple[RewardPart, ...]) -> str:
    """Of every file that a reward may read, and of the reward models' weights."""
    state = hashlib.sha256()
    for part in rewards:
        state.update(model_key(part.model).encode() if part.model else b"-")
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in (".py", ".txt"):
                state.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return state.hexdigest()[:16]


def _measured(database: Database, spec: EvaluateSpec, tasks: tuple[FrozenTask, ...]) -> dict[str, str]:
    with database.reader() as connection:
        return runs_with(connection, model_key=spec.model_key, settings=[task.settings for task in tasks])
