"""What a model's files take: on the disk, hard links once, and in memory.

The versions of a policy are linked to the run's own files where the disk allows, so the sum over all
models may be far more than what is taken.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path

from rlft_tui.models.model import Model
from rlft_tui.record import Record

_LONGEST_HEADER = 100 << 20
"""Bytes of a safetensors header that are read; real ones have some hundred kilobytes."""
_RUNTIME_BYTES = 500 << 20
"""What torch and transformers take before there is a model."""


class ModelUse(Record, frozen=True):
    """Of one model, in bytes."""

    name: str
    path: str
    place: str
    """workspace, elsewhere (such as the cache that all workspaces share), hub or gone."""
    bytes: int
    """Of all its files."""
    own_bytes: int
    """What its removal would free: files that no other folder has a link to."""
    parameters: int = 0
    """Numbers in its safetensors files, those of the base below an adapter included; 0 when not known."""
    memory_bytes: int = 0
    """About what it takes to write text with it; 0 when not known."""
    fits: bool | None = None
    """Whether that is free now; None when not known."""


class DiskUse(Record, frozen=True):
    """All models together."""

    models: tuple[ModelUse, ...]
    bytes: int
    """Every file once, however many models link to it."""
    free_bytes: int
    """Left on the workspace's disk."""
    memory_bytes: int
    """Free memory of the machine, or of its largest GPU."""


def own_folder(model: Model, models: Path) -> Path:
    """What is removed with a model: a version's whole folder, else where its weights lie."""
    path = Path(model.path)
    if path.is_relative_to(models) and len(path.relative_to(models).parts) >= 2:
        agent, version, *_ = path.relative_to(models).parts
        return models / agent / version
    return path


def place_of(model: Model, root: Path) -> str:
    """Where the weights of a model lie."""
    path = Path(model.path)
    if not path.is_absolute():
        return "hub"
    if not path.is_dir():
        return "gone"
    return "workspace" if path.is_relative_to(root) else "elsewhere"


def files_below(folder: Path) -> Iterator[os.stat_result]:
    """Every regular file below a folder; what cannot be read is left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.stat(os.path.join(parent, name), follow_symlinks=False)
            except OSError:
                continue
            if not os.path.islink(os.path.join(parent, name)):
                yield found


def bytes_once(files: Iterable[os.stat_result]) -> int:
    """Sizes of files, each inode once."""
    return sum({(one.st_dev, one.st_ino): one.st_size for one in files}.values())


def freed_bytes(folder: Path) -> int:
    """What the removal of a folder frees: the inodes whose links are all inside it."""
    links: dict[tuple[int, int], list[int]] = {}
    for one in files_below(folder):
        seen = links.setdefault((one.st_dev, one.st_ino), [0, one.st_nlink, one.st_size])
        seen[0] += 1
    return sum(size for here, everywhere, size in links.values() if here >= everywhere)


def parameters_in(folder: Path) -> int:
    """Numbers in the safetensors files of a folder, by their headers; 0 when there are none."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                if length > _LONGEST_HEADER:
                    return 0
                header = json.loads(stream.read(length))
            total += sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
        except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError):
            return 0
    return total


def memory_needed(parameters: int, bytes_each: int) -> int:
    """About what writing text takes, a tenth of the weights for what is remembered of the text included."""
    return int(parameters * bytes_each * 1.1) + _RUNTIME_BYTES if parameters else 0
