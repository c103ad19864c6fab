"""From what a client asks for to what a job is given: names become folders, hashes and whole specs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import field
from pydantic import ValidationError

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.datasets.checks import check_dataset
from rlft_tui.datasets.datasets_table import dataset_for
from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.models.models_table import list_models
from rlft_tui.paths import Workspace
from rlft_tui.record import Record
from rlft_tui.runs.run_spec import (
    OTHER_SPECS,
    SPECS,
    GenerationPrompt,
    PolicySpec,
    RunSpec,
    TrainingSpec,
    model_fields,
    parse_spec,
)
from rlft_tui.runs.specs.evaluate import EvaluateSpec
from rlft_tui.server.evaluation_launch import evaluation_files, training_files, with_suite
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.reward_sources import with_reward_models


class LaunchRequest(Record, frozen=True):
    """A run that could be started."""

    spec: RunSpec
    dataset: Path | None
    """Folder of the data set, to be copied into the run's own."""
    prompt_rows: list[dict[str, Any]]
    """What a generate run answers."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path in the run folder to content, written as they are."""


def resolve_launch(
    workspace: Workspace, settings: Settings, database: Database, values: dict[str, Any]
) -> LaunchRequest:
    """What ``WorkspaceClient.launch`` describes, checked; RlftError says what cannot be had."""
    values = dict(values)
    kind = {**SPECS, **OTHER_SPECS}.get(str(values.get("method")), RunSpec)
    rows = _prompt_rows(values.pop("prompt_rows", ()))
    dataset: Path | None = None
    with database.reader() as connection:
        for key in model_fields(kind):
            if isinstance(values.get(key), str):
                may_score = values.get("method") == "reward"
                values[key] = resolve_model(connection, values[key], reward=may_score).model_dump()
        if issubclass(kind, TrainingSpec) and isinstance(values.get("dataset"), str):
            method = str(values["method"])
            chosen = dataset_for(connection, values["dataset"], method)
            check_dataset(chosen, method).raise_for_errors(chosen)
            values["dataset"] = chosen.hash
            dataset = workspace.root / chosen.path
        names = [model.name for model in list_models(connection)]
    fresh = bool(values.pop("fresh", False))
    if values.get("method") == "evaluate":
        values = with_suite(workspace, settings, database, values)
    if settings.threads and not values.get("threads"):
        values["threads"] = settings.threads
    if issubclass(kind, PolicySpec) and isinstance(own := values.get("round", {}), dict):
        values["round"] = {"pairs": settings.round_pairs, **own}
    with database.reader() as connection:
        spec = with_reward_models(connection, parse_spec(values))
    if isinstance(spec, TrainingSpec) and spec.output_name in names:
        raise ConflictError(
            f"there is a model called {spec.output_name}", remedy="Choose another output_name"
        )
    if spec.method in ("generate", "completions") and not rows:
        raise RlftError("no prompts to answer", remedy="Import some: rlft prompts import FILE")
    files: Mapping[str, bytes] = {}
    if isinstance(spec, EvaluateSpec):
        files = evaluation_files(workspace, database, spec, fresh=fresh)
    elif isinstance(spec, PolicySpec):
        files = training_files(workspace, spec)
    return LaunchRequest(spec, dataset, rows, files)


def _prompt_rows(rows: object) -> list[dict[str, Any]]:
    if not isinstance(rows, list | tuple):
        raise RlftError("prompt_rows: should be a list of prompts", where="run")
    checked = []
    for at, row in enumerate(rows):
        try:
            checked.append(GenerationPrompt.model_validate(row).model_dump(mode="json"))
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise RlftError(f"prompt_rows.{at}: {reason}", where="run") from None
    return checked
