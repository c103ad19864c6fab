"""Telling whether two folders hold the same base model."""

from __future__ import annotations

import filecmp
from pathlib import Path

from rlft_tui.models.model import Model

_CONTENT = ("config.json", "*.safetensors")


def is_moved_base(stored: Model, given: Model) -> bool:
    """Whether ``given`` is the stored base under another path: pulled again into another cache.

    True when the weights are the same to the last byte, and when there are none left where they
    were: then nothing can be run on the old path. Reads both, so ask outside a transaction.
    """
    if (stored.kind, stored.base, stored.run_id) != ("base", "", ""):
        return False
    if (given.kind, given.base, given.run_id) != ("base", "", "") or stored.path == given.path:
        return False
    old, new = _files(Path(stored.path)), _files(Path(given.path))
    if not new:
        return False
    if not Path(stored.path).exists():
        return Path(stored.path).is_absolute()
    return set(old) == set(new) and all(
        filecmp.cmp(path, new[name], shallow=False) for name, path in old.items()
    )


def _files(folder: Path) -> dict[str, Path]:
    return {path.name: path for pattern in _CONTENT for path in sorted(folder.glob(pattern))}
