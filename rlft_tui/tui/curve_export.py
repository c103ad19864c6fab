"""Files of what the curves show: pictures, or the values behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlft_tui.errors import RlftError
from rlft_tui.metrics.curve_csv import write_csv
from rlft_tui.metrics.series import ELAPSED
from rlft_tui.runs.run_status import Series

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
                (curve for run_id, keys in runs if keys for curve in _curves(client, run_id, keys)),
            )
        partial.replace(path)
    except OSError as error:
        raise RlftError(f"the values were not written: {error.strerror}", where=str(path)) from None
    return path


def _curves(
    client: WorkspaceClient, run_id: str, keys: Sequence[str]
) -> Iterator[tuple[str, Series, Mapping[int, float]]]:
    elapsed, *curves = client.series(run_id, [ELAPSED, *keys], points=EVERY_POINT)
    # Rows that are all of one moment have no times, as those of a table that was imported.
    timed = elapsed.total == 1 or any(elapsed.high)
    steps = zip(elapsed.steps, elapsed.mean, strict=True)
    seconds = {step: round(mean, 3) for step, mean in steps if timed and mean is not None}
    for curve in curves:
        yield run_id, curve, seconds
