"""Fetching a base model, in a subprocess because converting one needs torch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.models.model import Model
from rlft_tui.paths import cache_folder


def model_folder(name: str) -> Path:
    """Where a pulled model lies; a hub id's slash becomes two dashes."""
    return cache_folder() / name.replace("/", "--")


def require_training_stack() -> None:
    """UnavailableError when the ``train`` extra is not installed; looks, does not import."""
    missing = [
        name for name in ("torch", "transformers", "trl", "peft") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise UnavailableError(
            f"the training packages are not installed ({', '.join(missing)})",
            remedy="pip install 'rlft_tui[train]'",
        )


def pull_model(name: str, report: Callable[[str], None]) -> Model:
    """Fetch and convert ``name`` unless it is there; ``report`` gets each line of progress."""
    if Path(name).is_dir():
        return Model(Path(name).name, "base", str(Path(name).resolve()), created_at=time.time())
    folder = model_folder(name)
    if not (folder / "config.json").is_file():
        require_training_stack()
        _pull(name, folder, report)
    return Model(name, "base", str(folder), created_at=time.time())


def _pull(name: str, folder: Path, report: Callable[[str], None]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rlft_tui.jobs.pull", name, str(folder)]
    last = ""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as job:
        assert job.stderr is not None
        for line in job.stderr:
            if line.strip():
                last = line.strip()
                report(last)
    if job.returncode:
        raise RlftError(last or f"pulling ended with exit code {job.returncode}", where=name)
