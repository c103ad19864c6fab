"""Checkpoints that are known to be whole: a manifest with hashes, written last and fsynced."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.jobs.model_check import check_safetensors_size

MANIFEST = "rlft_manifest.json"
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
WHOLE = ("config.json",)
"""A whole model; its weights may be in several files, named in none of them beforehand."""
STATE = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
"""What a run needs besides the weights to go on as if it had not ended."""
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint."""

    path: Path
    step: int
    tokens: int
    """Tokens trained on until then."""
    measure: float | None = None
    """The held-out measure at this step, where there is one."""


@dataclass(frozen=True, slots=True)
class BadCheckpoint:
    """One that cannot be resumed from, and why."""

    path: Path
    step: int
    reason: str


def seal(
    folder: Path, *, step: int, tokens: int, required: tuple[str, ...] = (), measure: float | None = None
) -> Checkpoint:
    """Bring every file to disk, check it, and write the manifest that makes it count.

    ``measure``: the held-out measure at this step, by which the best checkpoint is known later.
    """
    partial = folder / f"{MANIFEST}.partial"
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (MANIFEST, partial.name))
    missing = [name for name in required if not (folder / name).is_file()]
    if not any(path.suffix == ".safetensors" for path in paths):
        missing.append("weights")
    if missing:
        raise RlftError(f"not written: {', '.join(missing)}", where=str(folder))
    for path in paths:
        if path.suffix == ".safetensors":
            check_finite(path)
    files = {str(p.relative_to(folder)): {"bytes": p.stat().st_size, "sha256": _digest(p)} for p in paths}
    record = {"step": step, "tokens": tokens, "measure": measure, "files": files}
    partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
    for path in (*paths, partial):
        _sync(path)
    partial.replace(folder / MANIFEST)
    _sync(folder)
    _sync(folder.parent)
    return verify(folder)


def verify(folder: Path) -> Checkpoint:
    """Every file as the manifest says; RlftError names the first that is not."""
    try:
        record = json.loads((folder / MANIFEST).read_bytes())
        files = record["files"]
    except FileNotFoundError:
        raise RlftError("it was never completed (no manifest)", where=str(folder)) from None
    except (ValueError, KeyError, TypeError):
        raise RlftError("its manifest is damaged", where=str(folder)) from None
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise RlftError(f"{name} is missing", where=str(folder))
        if path.stat().st_size != expected["bytes"]:
            raise RlftError(
                f"{name} is cut short ({path.stat().st_size} of {expected['bytes']} bytes)", where=str(folder)
            )
        if _digest(path) != expected["sha256"]:
            raise RlftError(f"{name} is damaged (its SHA-256 differs)", where=str(folder))
    return Checkpoint(folder, int(record["step"]), int(record["tokens"]), record.get("measure"))


def find_last_good(folder: Path) -> tuple[Checkpoint | None, list[BadCheckpoint]]:
    """The newest checkpoint that verifies, and the newer ones that did not."""
    bad: list[BadCheckpoint] = []
    for step, path in reversed(_numbered(folder)):
        try:
            return verify(path), bad
        except RlftError as error:
            bad.append(BadCheckpoint(path, step, error.what))
    return None, bad


def remove_old(folder: Path, keep: int, *, best: Path | None = None) -> None:
    """Remove all but the newest ``keep`` complete checkpoints and ``best``; the newest must be verified.

    What a kill left unfinished before them goes too.
    """
    complete = [(step, path) for step, path in _numbered(folder) if (path / MANIFEST).is_file()]
    kept = {path for _, path in complete[-keep:]} | {best}
    newest = complete[-1][0] if complete else -1
    for step, path in _numbered(folder):
        if step < newest and path not in kept:
            shutil.rmtree(path)


def find_best(folder: Path, *, highest: bool) -> tuple[Path, float] | None:
    """The complete checkpoint with the best held-out measure on record; the earliest of equals."""
    best: tuple[Path, float] | None = None
    for _, path in _numbered(folder):
        try:
            measure = json.loads((path / MANIFEST).read_bytes()).get("measure")
        except (OSError, ValueError, AttributeError):
            continue
        if (
            isinstance(measure, float)
            and math.isfinite(measure)
            and (best is None or (measure > best[1] if highest else measure < best[1]))
        ):
            best = path, measure
    return best


def check_finite(path: Path) -> None:
    """RlftError when a safetensors file is cut short or holds NaN or infinity."""
    from safetensors import safe_open

    check_safetensors_size(path)
    with safe_open(path, framework="pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - not a dict
            if not math.isfinite(float(tensors.get_tensor(key).float().abs().sum())):
                raise RlftError(f"{key} is not finite", where=str(path))


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir() if path.is_dir())
    return sorted((int(match[1]), path) for match, path in found if match)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
