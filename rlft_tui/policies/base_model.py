"""Where a base model lies that is named without a workspace: a folder, a pulled model, an id on the hub."""

from __future__ import annotations

import json
from pathlib import Path

from rlft_tui.errors import NotFoundError
from rlft_tui.models.pull import model_folder
from rlft_tui.runs.specs.base import ModelSource


def locate(name: str) -> ModelSource:
    """As a job loads it; NotFoundError with the command that gets it when it is not on this machine."""
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return ModelSource(name=folder.name, path=str(folder.resolve()))
    if (folder / "adapter_config.json").is_file():
        base = json.loads((folder / "adapter_config.json").read_bytes())["base_model_name_or_path"]
        return ModelSource(name=folder.name, path=str(base), adapter=str(folder.resolve()))
    if (pulled := model_folder(name)).is_dir() and name.strip("./"):
        return ModelSource(name=name, path=str(pulled))
    if name.count("/") == 1 and not folder.exists() and not name.startswith(("/", ".")):
        # Jobs do not go to the network: it has to be in the hub's cache, or they say so.
        return ModelSource(name=name, path=name)
    raise NotFoundError(f"model {name} is not on this machine", remedy=f"Fetch it: rlft models pull {name}")
