"""Takes what a run made into the database: its model, or its pairs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from rlft_tui.database.connection import Database
from rlft_tui.errors import ConflictError
from rlft_tui.evaluations.evaluations_table import replace_evaluations
from rlft_tui.evaluations.results import read_results
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model
from rlft_tui.models.policy_versions import TrainingResults, publish
from rlft_tui.models.round import Round
from rlft_tui.models.rounds_table import add_round, current_versions, policy_of
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import TrainingSpec
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.runs.specs.training import PolicySpec

log = logging.getLogger("rlft.server.runs")

_BLOCK_BYTES = 8 << 20


def registered_model(folder: RunFolder) -> str | None:
    """Name of the model this run was registered as; None while its result is not in the database."""
    try:
        record = json.loads(folder.result_record.read_bytes())
    except (OSError, ValueError):
        return None
    return str(record.get("model", "")) if isinstance(record, dict) else None


def register_model(
    database: Database, folder: RunFolder, spec: TrainingSpec, created: float, *, version: str = ""
) -> str:
    """Enter the run's adapter or model in the registry, and the round that it begins; its name there.

    Safe to repeat. When the wanted name has gone to another model meanwhile, it is the run's id.
    ``version``: name of the policy's version that the run made, if it made one.
    """
    adapter = (folder.model / "adapter_config.json").is_file()

    def model(name: str) -> Model:
        return Model(
            name=name,
            kind="reward" if spec.method == "reward" else "adapter" if adapter else "base",
            path=str(folder.model),
            base=spec.model.name if adapter else "",
            base_path=spec.model.path if adapter else "",
            run_id=spec.id,
            dataset=spec.dataset,
            created_at=created,
        )

    wanted = spec.output_name or spec.id
    try:
        with database.write(checkpoint=True) as connection:
            name = add_model(connection, model(wanted)).name
    except ConflictError:
        if wanted == spec.id:
            raise
        with database.write(checkpoint=True) as connection:
            name = add_model(connection, model(spec.id)).name
    if isinstance(spec, PolicySpec):
        begin_round(database, spec, version or name, created)
    record_result(folder, model=name)
    return name


def begin_round(database: Database, spec: PolicySpec, model: str, created: float) -> None:
    """The result against the current version of its policy, else against what it was trained from."""
    with database.write() as connection:
        policy = spec.policy or policy_of(connection, spec.model.name)
        current = current_versions(connection).get(policy)
        add_round(
            connection,
            Round(
                id=spec.id,
                kind="round",
                model=model,
                opponent=current.model if current is not None else spec.model.name,
                policy=policy,
                run_id=spec.id,
                dataset=spec.dataset,
                pairs=spec.round.pairs,
                created_at=created,
            ),
        )


def publish_policy(
    database: Database, models: Path, folder: RunFolder, spec: PolicySpec, summary: RunSummary
) -> str:
    """Make the run's result a version of its policy and enter it in the registry; its name there.

    Safe to repeat.
    """
    made = publish(
        models,
        TrainingResults(
            agent=spec.policy,
            version="",
            run_id=spec.id,
            method=spec.method,
            base_model=spec.model.path,
            dataset=spec.dataset,
            feedback_count=sum(_lines(folder.dataset / name) for name in ("train.jsonl", "heldout.jsonl")),
            training_steps=summary.step,
            model_path="",
            final_reward_mean=_first(summary.metrics, "heldout/reward", "reward"),
            final_reward_std=_first(summary.metrics, "heldout/reward_std", "reward_std"),
            metrics=summary.metrics,
            created_at=summary.ended or summary.created,
        ),
        weights=folder.policy if folder.policy.is_dir() else folder.model,
        output=folder.output,
        reward_model=_reward_model(spec),
    )
    name = f"{made.agent}-{made.version}"
    model = Model(
        name=name,
        kind="base",
        path=made.model_path,
        run_id=spec.id,
        dataset=spec.dataset,
        created_at=made.created_at,
    )
    with database.write(checkpoint=True) as connection:
        add_model(connection, model)
    return name


def _reward_model(spec: PolicySpec) -> Path | None:
    """The folder of the first trained model among the rewards."""
    for part in getattr(spec, "rewards", ()):
        if part.model is not None:
            folder = Path(part.model.adapter or part.model.path)
            return folder if folder.is_dir() else None
    return None


def _first(metrics: Mapping[str, float | str], *keys: str) -> float | None:
    return next((value for key in keys if isinstance(value := metrics.get(key), float)), None)


def _lines(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            return sum(1 for line in stream if line.strip())
    except FileNotFoundError:
        return 0


def store_pairs(database: Database, folder: RunFolder, start: int) -> int:
    """Store the pairs written since byte ``start``; the byte up to which they are stored.

    Safe to repeat: a pair is known by its id. A half-written last line waits.
    """
    while True:
        try:
            with folder.pairs.open("rb") as stream:
                if stream.seek(0, os.SEEK_END) < start:
                    start = 0
                stream.seek(start)
                block = stream.read(_BLOCK_BYTES)
                if b"\n" not in block:
                    block += stream.readline()
        except FileNotFoundError:
            return start
        whole = block.rfind(b"\n") + 1
        if not whole:
            return start
        pairs = [pair for line in block[:whole].split(b"\n") if (pair := _pair(line)) is not None]
        with database.write(checkpoint=True) as connection:
            add_pairs(connection, pairs)
        start += whole


def store_evaluations(database: Database, folder: RunFolder) -> None:
    """Enter what a run measured, where it left a ``results.json``; safe to repeat."""
    if found := read_results(folder.root):
        with database.write(checkpoint=True) as connection:
            replace_evaluations(connection, folder.id, [replace(one, run_id=folder.id) for one in found])


def record_result(folder: RunFolder, **result: str | int) -> None:
    """Mark the run's result as registered."""
    partial = folder.result_record.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(result))
        partial.replace(folder.result_record)
    except OSError as error:
        # The database has it; without the mark the next server only registers it once more.
        log.warning("run %s: %s", folder.id, error)


def _pair(line: bytes) -> ResponsePair | None:
    try:
        return msgspec.json.decode(line, type=ResponsePair)
    except msgspec.DecodeError:
        # An empty line, or one torn by a kill and continued: the job writes that pair again.
        return None


def model_is_there(folder: Path) -> bool:
    """Whether a folder holds an adapter or a whole model."""
    return any((folder / name).is_file() for name in ("adapter_config.json", "config.json"))
