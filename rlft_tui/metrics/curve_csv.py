"""Curves as CSV: every bin of every run, so that nothing seen on the screen is missing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import TextIO

from rlft_tui.runs.run_status import Series

COLUMNS = ("run", "metric", "unit", "step", "seconds", "steps_in_bin", "mean", "min", "max", "not_finite")


def write_csv(stream: TextIO, curves: Iterable[tuple[str, Series, Mapping[int, float]]]) -> int:
    """One row a bin; an empty mean stands for a bin with no finite value. The number of rows.

    With each curve: by step the seconds that its run had trained for, where they are known.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = 0
    for run_id, one, seconds in curves:
        bins = zip(one.steps, one.mean, one.low, one.high, one.nonfinite, strict=True)
        for step, mean, low, high, nonfinite in bins:
            writer.writerow(
                (run_id, one.key, one.unit, step, seconds.get(step), one.bin, mean, low, high, nonfinite)
            )
            rows += 1
    return rows
