"""TensorBoard event files in ``tensorboard/``: tensorboard --logdir runs shows all runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

FLUSH_SECONDS = 5


class TensorBoardFiles:
    """One scalar a metric; a resumed run writes a new file that takes the place of the steps it repeats."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: SummaryWriter | None = None

    def row(
        self,
        step: int,
        values: Mapping[str, float],
        *,
        units: Mapping[str, str],
        epoch: float | None,
        tokens: int,
    ) -> None:
        if self._writer is None:
            earlier = self.folder.is_dir()
            self._writer = SummaryWriter(
                str(self.folder), purge_step=step if earlier else None, flush_secs=FLUSH_SECONDS
            )
        for key, value in values.items():
            self._writer.add_scalar(key, value, step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
