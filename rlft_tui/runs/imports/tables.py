"""Logs that are tables: transformers' trainer_state.json, and CSV with a column a metric."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.runs.imports.foreign_run import ForeignRun, LoggedRow
from rlft_tui.runs.run_event import number

STATE_NAME = "trainer_state.json"
_STEP_COLUMNS = ("step", "global_step", "_step", "train/global_step", "iteration")
_TIME_COLUMNS = ("_timestamp", "timestamp", "time", "wall_time")


def read_trainer_state(path: Path) -> ForeignRun:
    """The log history of a Hugging Face Trainer; RlftError for a file without one."""
    try:
        state = json.loads(path.read_bytes())
        history = state["log_history"]
        rows = tuple(_row(entry, at) for at, entry in enumerate(history))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RlftError("not a trainer_state.json: it has no log_history", where=str(path)) from None
    settings = {
        key: value for key, value in state.items() if isinstance(value, int | float | str) and key != "epoch"
    }
    return ForeignRun(path.parent.name, "trainer_state", tuple(row for row in rows if row.values), settings)


def read_csv(path: Path) -> ForeignRun:
    """A column a metric, a row a step; RlftError for a file without numbers."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = tuple(_row(entry, at) for at, entry in enumerate(reader))
    rows = tuple(row for row in rows if row.values)
    if not rows:
        raise RlftError("no numbers in it: a CSV needs a header and a column a metric", where=str(path))
    return ForeignRun(path.stem, "csv", rows)


def _row(entry: dict[str, Any], at: int) -> LoggedRow:
    step = next((int(found) for key in _STEP_COLUMNS if (found := _value(entry.get(key))) is not None), at)
    t = next((found for key in _TIME_COLUMNS if (found := _value(entry.get(key))) is not None), None)
    skipped = (*_STEP_COLUMNS, *_TIME_COLUMNS)
    values = {
        key: found
        for key, item in entry.items()
        if isinstance(key, str) and key not in skipped and (found := _value(item)) is not None
    }
    return LoggedRow(step, t, values)


def _value(item: object) -> float | None:
    if isinstance(item, str):
        try:
            return float(item)
        except ValueError:
            return None
    return number(item)
