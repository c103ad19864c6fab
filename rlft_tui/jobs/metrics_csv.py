"""``training_metrics.csv``: one row a step, the same columns for every method.

A column holds what a method calls by another name (the table below), so that a script reads the
runs of all methods alike; what a method does not measure is left empty. Every metric under its own
name stands in ``events.jsonl``. ``kl`` is the trainer's own estimate where it logs one, else that of
the samples, with its unit beside it; ``heldout`` is the measure that the held-out alarm watches, with its
name beside it, for it is a share, a reward or a perplexity by method. After a resume the rows from the
checkpoint on are written anew.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rlft_tui.metrics.alarms.heldout_falling import HELD_OUT
from rlft_tui.runs.run_event import nonfinite_name
from rlft_tui.runs.specs.training import TrainingSpec

NAMES: Mapping[str, tuple[str, ...]] = {
    "reward": ("reward", "mean_reward", "rewards/chosen"),
    "loss": ("loss",),
    "entropy": ("entropy",),
    "accuracy": ("rewards/accuracies", "accuracy", "mean_token_accuracy"),
    "margin": ("rewards/margins", "margin"),
    "length": ("completions/mean_length", "samples/tokens"),
    "grad_norm": ("grad_norm",),
    "learning_rate": ("learning_rate",),
    "heldout": tuple(key for key, _ in HELD_OUT),
}
"""Column, and the metrics of which the first one that a row has is put there."""
COLUMNS = ("step", "reward", "kl", "kl_unit", *(name for name in NAMES if name != "reward"))
COLUMNS = (*COLUMNS, "heldout_metric", "epoch", "tokens", "time")
"""``time``: unix seconds of the step's first row."""
TOKEN_KL = frozenset({"grpo", "rloo", "kto"})
"""Methods whose trainer logs an estimate of its own, as ``kl``, when beta is above 0."""


class MetricsCsv:
    """Rewrites the row of the current step as more of it comes in; all before stays as it is."""

    def __init__(self, path: Path, spec: TrainingSpec, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        own = spec.method in TOKEN_KL and getattr(spec, "beta", 0.0) > 0
        self.kl_key = "kl" if own else "kl/sequence"
        self._clock = clock
        self._row: dict[str, str] = {}
        """The last row of the file."""
        self._start = -1
        """Byte at which it begins; -1 before the file is open."""

    def row(
        self,
        step: int,
        values: Mapping[str, float],
        *,
        units: Mapping[str, str],
        epoch: float | None,
        tokens: int,
    ) -> None:
        if self._start < 0:
            self._open(step)
        if self._row.get("step") != str(step):
            self._start = self.path.stat().st_size
            self._row = {"step": str(step), "time": f"{self._clock():.3f}"}
        for column, keys in NAMES.items():
            found = next((key for key in keys if key in values), None)
            if found is not None:
                self._row[column] = _text(values[found])
                if column == "heldout":
                    self._row["heldout_metric"] = found
        if self.kl_key in values:
            self._row |= {"kl": _text(values[self.kl_key]), "kl_unit": units.get(self.kl_key, "")}
        self._row |= {"tokens": str(tokens)} | ({"epoch": _text(epoch)} if epoch is not None else {})
        with self.path.open("r+b") as stream:
            stream.seek(self._start)
            stream.write(_line(self._row))
            stream.truncate()

    def close(self) -> None:
        """Every row is in the file already."""

    def _open(self, step: int) -> None:
        """Keep the rows before ``step`` of earlier attempts, and the one of it as the current one."""
        kept = [row for row in _rows(self.path) if int(row["step"]) <= step]
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as stream:
            stream.write((",".join(COLUMNS) + "\n").encode())
            self._start = stream.tell()
            for row in kept:
                self._start = stream.tell()
                stream.write(_line(row))
        partial.replace(self.path)
        self._row = {name: value for name, value in kept[-1].items() if value} if kept else {}


def _rows(path: Path) -> list[dict[str, str]]:
    """Whole rows of a file with these columns; none where there is no such file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = content[: content.rfind(b"\n") + 1].decode(errors="replace")
    rows = list(csv.reader(io.StringIO(whole)))
    if not rows or tuple(rows[0]) != COLUMNS:
        return []
    return [
        dict(zip(COLUMNS, row, strict=True))
        for row in rows[1:]
        if len(row) == len(COLUMNS) and row[0].isdecimal()
    ]


def _line(row: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([row.get(column, "") for column in COLUMNS])
    return text.getvalue().encode()


def _text(value: float) -> str:
    """As short as it can be read back; what is not finite by its name."""
    return repr(float(value)) if math.isfinite(value) else nonfinite_name(value)
