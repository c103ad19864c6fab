"""Series for charts."""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.runs.run_status import Series


def series(
    values: Sequence[float | None],
    *,
    key: str = "loss",
    unit: str = "nats",
    bin: int = 1,
    spread: float = 0.0,
) -> Series:
    """A series with one value a bin; None stands for a bin that held only NaN."""
    return Series(
        key=key,
        unit=unit,
        bin=bin,
        steps=[index * bin for index in range(len(values))],
        mean=list(values),
        low=[None if value is None else value - spread for value in values],
        high=[None if value is None else value + spread for value in values],
        nonfinite=[1 if value is None else 0 for value in values],
        total=len(values) * bin,
    )
