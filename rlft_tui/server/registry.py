"""A model beyond its row: where it comes from, what it takes, whether it may go."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import psutil

from rlft_tui.counted import counted
from rlft_tui.database.connection import Database
from rlft_tui.datasets.dataset import Dataset
from rlft_tui.datasets.dataset_files import HELDOUT, TRAIN, read_rows
from rlft_tui.datasets.datasets_table import list_datasets
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.evaluations.policy_versions import PolicyVersion
from rlft_tui.labels.dataset_labelers_table import labelers_of
from rlft_tui.models.lineage import Node, Origin, Records, lineage
from rlft_tui.models.model import Model
from rlft_tui.models.model_files import (
    DiskUse,
    ModelUse,
    bytes_once,
    files_below,
    freed_bytes,
    memory_needed,
    own_folder,
    parameters_in,
    place_of,
)
from rlft_tui.models.models_table import list_models, model_by_name, remove_model
from rlft_tui.models.policy_versions import read_versions
from rlft_tui.models.removal import Removal, is_inside, rests_on, settle_removals, taken_away
from rlft_tui.models.rounds_table import current_versions
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.run_status import ACTIVE
from rlft_tui.server.round_view import RoundView
from rlft_tui.server.supervisor import Supervisor

_MOST_ROWS = 200_000
"""Rows of a data set up to which it is told whose verdicts are in it."""


class Registry:
    """Safe to use from several threads."""

    def __init__(
        self, workspace: Workspace, database: Database, supervisor: Supervisor, rounds: RoundView
    ) -> None:
        self._workspace = workspace
        self._database = database
        self._supervisor = supervisor
        self._rounds = rounds
        supervisor.check_removable = self.check_removable
        self._settle()

    def _settle(self) -> None:
        with self._database.reader() as connection:
            folders = {own_folder(one, self._workspace.models) for one in list_models(connection)}
        parents = (*self._workspace.models.glob("*"), *self._workspace.runs.glob("[!.]*"))
        settle_removals(parents, folders.__contains__)

    # where it comes from
    def lineage(self, name: str) -> Node:
        """NotFoundError for a name that the registry does not know."""
        with self._database.reader() as connection:
            model_by_name(connection, name)
            records = Records(
                models={one.name: one for one in list_models(connection)},
                datasets={one.hash: one for one in list_datasets(connection)},
                origin=self._origin,
                labels=lambda dataset: self._labels(connection, dataset),
            )
            return lineage(records, name)

    def _origin(self, run_id: str) -> Origin | None:
        try:
            run = self._supervisor.summary(run_id)
            spec = read_spec(self._supervisor.folder(run_id).spec)
        except RlftError:
            return None
        rewards = [part.model.name for part in getattr(spec, "rewards", ()) if part.model is not None]
        models = spec.models()
        return Origin(
            run_id=run_id,
            about=f"{run.method} · {counted(run.step, 'step')} · {run.status}",
            model=models[0].name if models else "",
            dataset=run.dataset,
            rewards=tuple(rewards),
            parent=str(getattr(spec, "parent", "")),
        )

    def _labels(self, connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> tuple[str, ...]:
        if dataset.train_rows + dataset.heldout_rows > _MOST_ROWS:
            return ()
        folder = Path(dataset.path)
        try:
            examples = {
                row.example_id for name in (TRAIN, HELDOUT) for row in read_rows(folder / name, dataset.kind)
            }
        except RlftError:
            return ()
        found = labelers_of(connection, sorted(examples), dataset.created_at)
        return tuple(f"{count:,} by {name}" for name, count in found.items())

    # what it takes
    def disk_use(self) -> DiskUse:
        """Of every model, and of all together with each file once."""
        with self._database.reader() as connection:
            models = list_models(connection)
        known = {one.name: one for one in models}
        memory, each = _memory()
        files = []
        used = []
        for one in models:
            place = place_of(one, self._workspace.root)
            folder = own_folder(one, self._workspace.models)
            found = list(files_below(folder)) if place in ("workspace", "elsewhere") else []
            files += found
            parameters = parameters_in(Path(one.path)) if found else 0
            base = one.base_path or (known[one.base].path if one.base in known else "")
            below = parameters_in(Path(base)) if one.base and Path(base).is_dir() else 0
            if one.base and not below:
                parameters = 0  # what the adapter sits on is not known
            needed = memory_needed(parameters + below, each)
            used.append(
                ModelUse(
                    name=one.name,
                    path=one.path,
                    place=place,
                    bytes=bytes_once(found),
                    own_bytes=freed_bytes(folder) if found else 0,
                    parameters=parameters + below,
                    memory_bytes=needed,
                    fits=needed <= memory if needed else None,
                )
            )
        free = shutil.disk_usage(self._workspace.root).free
        return DiskUse(tuple(used), bytes_once(files), free, memory)

    # whether it may go
    def removal(self, name: str) -> Removal:
        """What its removal would do; nothing is touched."""
        with self._database.reader() as connection:
            model = model_by_name(connection, name)
            known = list_models(connection)
        folder = own_folder(model, self._workspace.models)
        inside = place_of(model, self._workspace.root) == "workspace"
        stays = ["verdicts on its answers keep its name"]
        if model.run_id and (self._workspace.runs / model.run_id).is_dir():
            stays.append(f"its run {model.run_id}, without this model")
        if not inside:
            stays.append(f"its files at {model.path}: other workspaces may use them")
        return Removal(
            name=name,
            folder=str(folder) if inside else "",
            frees=freed_bytes(folder) if inside else 0,
            rests=(*rests_on(model, folder, known), *self._runs_on(model, folder)),
            stays=tuple(stays),
        )

    def check_removable(self, model: Model) -> None:
        """ConflictError that names what rests on it."""
        rests = self.removal(model.name).rests
        if rests:
            more = f" and {len(rests) - 3} more" if len(rests) > 3 else ""
            raise ConflictError(
                f"the model is still needed: {'; '.join(rests[:3])}{more}",
                where=model.name,
                remedy=f"See what: rlft models rm {model.name} --dry-run",
            )

    def remove(self, name: str) -> Removal:
        """Remove the row and the files below the workspace, both or none; ConflictError when it is needed."""
        with self._database.reader() as connection:
            model = model_by_name(connection, name)
        self.check_removable(model)
        planned = self.removal(name)
        with (
            taken_away(Path(planned.folder) if planned.folder else None),
            self._database.write(checkpoint=True) as connection,
        ):
            remove_model(connection, name)
        return planned

    def _runs_on(self, model: Model, folder: Path) -> list[str]:
        """Runs that will still load it."""
        found = []
        for run in self._supervisor.summaries():
            if run.status not in ACTIVE and run.status != "paused":
                continue
            try:
                spec = read_spec(self._supervisor.folder(run.id).spec)
            except RlftError:
                continue
            rewards = [part.model for part in getattr(spec, "rewards", ()) if part.model is not None]
            sources = (*spec.models(), *rewards)
            if any(is_inside(path, folder) for one in sources for path in (one.path, one.adapter)):
                found.append(f"run {run.id} is {run.status} with it")
        return found

    # versions
    def versions(self, policy: str = "") -> tuple[PolicyVersion, ...]:
        """Of one policy or of all, newest first in each. NotFoundError for a policy without any."""
        with self._database.reader() as connection:
            current = current_versions(connection)
            known = {one.name: one for one in list_models(connection)}
        found: dict[tuple[str, str], PolicyVersion] = {}
        for one in self._rounds.standings("round"):
            key = (one.round.policy, one.round.model)
            if one.round.model not in known or not one.round.policy:
                continue
            found[key] = PolicyVersion(
                *(*key, "", one.round.run_id, one.method, one.round.dataset, one.dataset_rows),
                created_at=one.round.created_at,
                is_current=one.is_current,
                decision=one.stage if one.stage in ("promoted", "rejected") else "",
                opponent=one.round.opponent,
                score=one.people if one.people.n else None,
            )
        for folder in sorted(self._workspace.models.glob("*/")):
            try:
                results = read_versions(self._workspace.models, folder.name)
            except NotFoundError:
                continue
            for each in results:
                name = f"{each.agent}-{each.version}"
                before = found.get((each.agent, name))
                held = current.get(each.agent)
                found[each.agent, name] = PolicyVersion(
                    *(each.agent, name, each.version, each.run_id, each.method, each.dataset),
                    feedback=each.feedback_count,
                    created_at=each.created_at,
                    is_current=held is not None and held.model == name,
                    decision=before.decision if before else "",
                    opponent=before.opponent if before else "",
                    score=before.score if before else None,
                )
        chosen = [one for one in found.values() if policy in ("", one.policy)]
        if policy and not chosen:
            names = sorted({one.policy for one in found.values()})
            raise NotFoundError(
                f"no policy called {policy!r}",
                remedy=f"Known: {', '.join(names)}" if names else "A training run begins one: --policy NAME",
            )
        return tuple(sorted(chosen, key=lambda one: (one.policy, -one.created_at, one.model)))


def _memory() -> tuple[int, int]:
    """Bytes that a model can have now on the largest GPU or in memory, and bytes of a number there."""
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            handles = [pynvml.nvmlDeviceGetHandleByIndex(at) for at in range(pynvml.nvmlDeviceGetCount())]
            free = [int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles]
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # pynvml raises its own and OS errors where there is no driver
        free = []
    if free:
        return max(free), 2
    return int(psutil.virtual_memory().available), 2 if _cpu_has_bf16() else 4


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(errors="replace").partition("flags")[2].partition("\n")[0]
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
