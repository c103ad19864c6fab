"""From the name a person gives to the folders a job loads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import list_models
from rlft_tui.models.name_hint import name_hint
from rlft_tui.models.pull import model_folder
from rlft_tui.runs.run_spec import ModelSource

BUILT_IN = "smollm2-135m"


def resolve_model(connection: duckdb.DuckDBPyConnection, name: str, *, reward: bool = False) -> ModelSource:
    """A registry name, a policy (then its current version), a pulled model, a folder or a hub id, for a job.

    A reward model writes no text and is refused, unless ``reward`` says that one will do.
    NotFoundError with the command that gets it when it is not on this machine.
    """
    known = {model.name: model for model in list_models(connection)}
    current = {model.current_of: model.name for model in known.values() if model.current_of}
    name = name if name in known else current.get(name, name)
    if name in known:
        if known[name].kind == "reward" and not reward:
            raise RlftError(
                f"{name} is a reward model, which writes no text",
                remedy=f"Score answers with it: rlft models score {name}, or --reward model:{name}",
            )
        return _registered(known[name], known)
    if (pulled := model_folder(name)).is_dir() and name.strip("./"):
        return ModelSource(name=name, path=str(pulled))
    folder = Path(name).expanduser()
    if folder.is_absolute():
        return _local(folder)
    if _in_hub_cache(name):
        return ModelSource(name=name, path=name)
    if name == BUILT_IN or name.count("/") == 1:
        raise NotFoundError(
            f"model {name} is not on this machine", remedy=f"Fetch it: rlft models pull {name}"
        )
    raise NotFoundError(f"no model called {name!r}", remedy=name_hint(name, [BUILT_IN, *known]))


def _registered(model: Model, known: dict[str, Model]) -> ModelSource:
    if os.path.isabs(model.path) and not Path(model.path).is_dir():
        raise NotFoundError(f"the folder of model {model.name} is gone", where=model.path)
    if model.kind == "base" or (model.kind == "reward" and not model.base):
        return ModelSource(name=model.name, path=model.path)
    base = model.base_path or (known[model.base].path if model.base in known else "")
    if not base:
        raise NotFoundError(f"the base of adapter {model.name} is not known", where=model.path)
    return ModelSource(name=model.name, path=base, adapter=model.path)


def _local(folder: Path) -> ModelSource:
    """A model folder, or an adapter folder that names its base."""
    if (folder / "config.json").is_file():
        return ModelSource(name=folder.name, path=str(folder))
    try:
        base = json.loads((folder / "adapter_config.json").read_bytes())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        raise NotFoundError(
            "no model here", where=str(folder), remedy="Name a folder with config.json or adapter_config.json"
        ) from None
    return ModelSource(name=folder.name, path=str(base), adapter=str(folder))


def _in_hub_cache(name: str) -> bool:
    if name.count("/") != 1:
        return False
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return (cache / f"models--{name.replace('/', '--')}" / "snapshots").is_dir()
