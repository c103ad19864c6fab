"""Finds out what kind of log a file or folder is, and reads it."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.runs.imports import tensorboard, wandb_offline
from rlft_tui.runs.imports.foreign_run import ForeignRun
from rlft_tui.runs.imports.tables import STATE_NAME, read_csv, read_trainer_state
from rlft_tui.runs.imports.tensorboard import read_tensorboard
from rlft_tui.runs.imports.wandb_offline import read_wandb


def read_foreign(path: Path) -> list[ForeignRun]:
    """Every run in a file, or in a folder and those below it.

    RlftError when there is nothing to read, or nothing in what there is.
    """
    if not path.exists():
        raise NotFoundError("no such file or folder", where=str(path))
    if not path.is_dir() and not path.is_file():
        raise RlftError("not an ordinary file", where=str(path))
    try:
        runs = _folder(path) if path.is_dir() else [_file(path)]
    except OSError as error:
        raise RlftError(f"cannot be read: {error.strerror}", where=str(path)) from None
    runs = [run for run in runs if run.rows]
    if not runs:
        raise RlftError(
            "no metrics found",
            where=str(path),
            remedy="It reads TensorBoard event files, W&B offline runs, trainer_state.json and CSV",
        )
    return runs


def _file(path: Path) -> ForeignRun:
    if "tfevents" in path.name:
        return _from(path.parent, read_tensorboard(path.parent))
    read = {".wandb": read_wandb, ".json": read_trainer_state}.get(path.suffix, read_csv)
    return _from(path, read(path))


def _folder(path: Path) -> list[ForeignRun]:
    found = [_from(file, read_wandb(file)) for file in sorted(path.rglob(wandb_offline.PATTERN))]
    folders = sorted({file.parent for file in path.rglob(tensorboard.PATTERN)})
    found += [_from(folder, read_tensorboard(folder)) for folder in folders]
    states = sorted(path.rglob(STATE_NAME), key=lambda file: file.stat().st_mtime)
    if states and not found:
        # Each checkpoint repeats the history so far: the newest one has all of it.
        found.append(_from(path, read_trainer_state(states[-1])))
    if not found:
        found += [_from(file, read_csv(file)) for file in sorted(path.glob("*.csv")) if file.is_file()]
    return found


def _from(path: Path, run: ForeignRun) -> ForeignRun:
    return replace(run, log=str(path.resolve()))
