"""The rows of a run's own data set, as its method is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlft_tui.datasets.dataset_files import HELDOUT, TRAIN, read_kind, read_rows
from rlft_tui.datasets.derive import rows_for
from rlft_tui.errors import RlftError


def method_rows(folder: Path, method: str) -> tuple[list[Any], list[Any]]:
    """Training and held-out rows (datasets/rows.py) of the kind a method reads.

    RlftError when the folder has none to train on, or is of a kind the method cannot use.
    """
    kind = read_kind(folder)
    train = rows_for(method, kind, read_rows(folder / TRAIN, kind), where=str(folder))
    heldout = folder / HELDOUT
    kept_out = rows_for(method, kind, read_rows(heldout, kind)) if heldout.is_file() else []
    if not train:
        raise RlftError(
            "there is no row to train on",
            where=str(folder / TRAIN),
            remedy="Label more, then rlft data build",
        )
    return train, kept_out
