"""The proof before a launch: rows, tokens and machine, for the very settings of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlft_tui.database.connection import Database
from rlft_tui.datasets.checks import check_dataset
from rlft_tui.datasets.dataset import DatasetCheck
from rlft_tui.datasets.datasets_table import dataset_for
from rlft_tui.errors import RlftError
from rlft_tui.runs.launch_values import check_values
from rlft_tui.runs.machine import Machine, cannot_run
from rlft_tui.runs.run_spec import TrainingSpec
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.token_checks import check_tokens

_NO_SETTINGS = ("now", "after", "prompt_rows")
"""What a launch takes besides the spec."""
MOST_ROWS = 2000
"""Rows of each file whose tokens are looked at before a launch; ``rlft data check`` looks at all."""
_CONTEXT = ("max_position_embeddings", "n_positions")
"""What a model's config.json calls the longest sequence that the model was made for."""


def check_data(
    database: Database,
    *,
    dataset: str,
    method: str,
    model: str,
    max_length: int,
    room: int = 0,
    batch_size: int = 0,
    rows: int = 3,
    most: int = 0,
) -> DatasetCheck:
    """What is wrong with a data set for a method, its tokens among it; RlftError when that cannot be told.

    ``model``: name of the model whose tokenizer it is. ``room``: tokens that an answer needs behind a
    prompt. ``batch_size``: 0 leaves out what depends on it. ``most``: rows of each file, 0 for all.
    """
    with database.reader() as connection:
        chosen = dataset_for(connection, dataset, method)
        source = resolve_model(connection, model, reward=method == "reward")
    found = check_dataset(chosen, method, batch_size=batch_size)
    if found.errors:
        return found
    tokens = check_tokens(chosen, source.path, method, max_length=max_length, room=room, rows=rows, most=most)
    shown = {"dataset": chosen.hash, **tokens}
    context = context_of(Path(source.path))
    if 0 < context < max_length:
        beyond = f"max_length {max_length} is beyond the {context} tokens that {model} was made for"
        found += DatasetCheck((), (beyond,))
    return found + DatasetCheck(tuple(tokens["errors"]), tuple(tokens["warnings"]), shown)


def context_of(model: Path) -> int:
    """Tokens of the longest sequence that the model in this folder was made for; 0 where it does not say."""
    try:
        config = json.loads((model / "config.json").read_bytes())
    except (OSError, ValueError):
        return 0
    if not isinstance(config, dict):
        return 0
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for name in _CONTEXT:
            if isinstance(part.get(name), int):
                return int(part[name])
    return 0


def check_launch(database: Database, values: dict[str, Any], machine: Machine) -> DatasetCheck:
    """The same for the values that ``launch`` takes; whatever forbids the launch is among the errors."""
    missing = tuple(f"{name}: {line}" for name, line in cannot_run(values, machine).items())
    try:
        settings = {name: value for name, value in values.items() if name not in _NO_SETTINGS}
        spec = check_values({"dataset": "latest", **settings}, where="run")
        if not isinstance(spec, TrainingSpec):
            return DatasetCheck(missing)
        found = check_data(
            database,
            dataset=spec.dataset,
            method=spec.method,
            model=spec.model.name,
            max_length=spec.max_length,
            room=getattr(spec, "max_new_tokens", 0),
            batch_size=spec.batch_size,
            most=MOST_ROWS,
        )
    except RlftError as error:
        found = DatasetCheck((str(error),))
    return DatasetCheck(missing) + found
