"""trackio, in ``trackio/`` or $TRACKIO_DIR: TRACKIO_DIR=runs/ID/trackio trackio show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rlft_tui.runs.specs.training import TrainingSpec


class TrackioRun:
    """One trackio run with the run's own id; a resumed one goes on in it."""

    def __init__(self, spec: TrainingSpec, folder: Path) -> None:
        # It reads this while it is being imported.
        os.environ.setdefault("TRACKIO_DIR", str(folder / "trackio"))
        import trackio

        self._trackio = trackio
        trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", "rlft"),
            name=spec.id,
            config=spec.model_dump(mode="json"),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def row(
        self,
        step: int,
        values: Mapping[str, float],
        *,
        units: Mapping[str, str],
        epoch: float | None,
        tokens: int,
    ) -> None:
        self._trackio.log({**values, "tokens": tokens}, step=step)

    def close(self) -> None:
        self._trackio.finish()
