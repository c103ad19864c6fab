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
    """Fetch and convert ``name`` unless it is there; ``report`` gets each line of progress.

    A folder is checked and used where it lies, under its own name. RlftError when
    there is no model in it, or when it cannot be fetched.
    """
    target = model_folder(name)
    if not target.exists() and not Path(name).expanduser().is_dir():
        require_training_stack()
    folder = _pull(name, target, report)
    known_as = name if folder == target.resolve() else folder.name
    return Model(known_as, "base", str(folder), created_at=time.time())


def _pull(name: str, target: Path, report: Callable[[str], None]) -> Path:
    """Run the job; the folder it printed. Its last line on stderr is the error when it fails."""
    command = [sys.executable, "-P", "-m", "rlft_tui.jobs.pull", name, str(target)]
    last = ""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as job:
        assert job.stderr is not None
        assert job.stdout is not None
        for line in job.stderr:
            if line.strip():
                if last:
                    report(last)
                last = line.strip()
        printed = job.stdout.read().splitlines()
    if job.returncode or not printed:
        raise RlftError(last or f"pulling {name} ended with exit code {job.returncode}")
    if last:
        report(last)
    return Path(printed[-1])
