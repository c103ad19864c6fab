"""Where rows of metrics go besides the event log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class MetricSink(Protocol):
    """Takes every row in order; after a resume the rows from the checkpoint's step on come again."""

    def row(
        self,
        step: int,
        values: Mapping[str, float],
        *,
        units: Mapping[str, str],
        epoch: float | None,
        tokens: int,
    ) -> None:
        """Several rows of one step belong together; NaN and infinities come as they are."""

    def close(self) -> None:
        """Bring everything to disk."""
