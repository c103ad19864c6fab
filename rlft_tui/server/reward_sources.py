"""From the reward models that a spec names to the folders a job loads."""

from __future__ import annotations

from typing import TypeVar

import duckdb

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.models.models_table import list_models
from rlft_tui.models.name_hint import name_hint
from rlft_tui.rewards.source import parse_source
from rlft_tui.runs.run_spec import RunSpec
from rlft_tui.runs.specs.rewards import RewardPart
from rlft_tui.server.model_sources import resolve_model

Spec = TypeVar("Spec", bound=RunSpec)


def with_reward_models(connection: duckdb.DuckDBPyConnection, spec: Spec) -> Spec:
    """The spec with a path beside every ``model:`` reward; RlftError for what is no reward model."""
    parts = getattr(spec, "rewards", ())
    if not any(part.source.startswith("model:") and part.model is None for part in parts):
        return spec
    return spec.model_copy(update={"rewards": tuple(_resolved(connection, part) for part in parts)})


def _resolved(connection: duckdb.DuckDBPyConnection, part: RewardPart) -> RewardPart:
    source = parse_source(part.source)
    if source.kind != "model" or part.model is not None:
        return part
    kinds = {model.name: model.kind for model in list_models(connection)}
    known = [name for name, kind in kinds.items() if kind == "reward"]
    if source.name not in kinds:
        raise NotFoundError(f"no reward model called {source.name!r}", remedy=name_hint(source.name, known))
    if source.name not in known:
        raise RlftError(
            f"{source.name} is a {kinds[source.name]} model, which gives no rewards",
            remedy="Train one: rlft train reward",
        )
    return part.model_copy(update={"model": resolve_model(connection, source.name, reward=True)})
