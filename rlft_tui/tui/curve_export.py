"""Files of what the curves show: pictures, or the values behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlft_tui.errors import RlftError
from rlft_tui.metrics.curve_csv import write_csv

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

EVERY_POINT = 1_000_000


def file_of(folder: Path, run_id: str, key: str, ending: str) -> Path:
    """Where a file goes: named after run and metric, never over one that is there."""
    stem = re.sub(r"[^\w.-]+", "_", f"{run_id}-{key}")[:120]
    path = folder / f"{stem}{ending}"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{ending}"
    return path


def save_values(
    client: WorkspaceClient, folder: Path, runs: Sequence[tuple[str, Sequence[str]]], name: str
) -> Path:
    """Every value of these metrics of these runs (id, keys) as one CSV file."""
    path = file_of(folder, runs[0][0], name, ".csv")
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8", newline="") as stream:
            write_csv(
                stream,
                (
                    (run_id, one)
                    for run_id, keys in runs
                    if keys
                    for one in client.series(run_id, list(keys), points=EVERY_POINT)
                ),
            )
        partial.replace(path)
    except OSError as error:
        raise RlftError(f"the values were not written: {error.strerror}", where=str(path)) from None
    return path
