"""Logs that are tables: transformers' trainer_state.json, and CSV with a column a metric."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Set
from datetime import datetime
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.runs.imports.foreign_run import ForeignRun, LoggedRow
from rlft_tui.runs.run_event import number

STATE_NAME = "trainer_state.json"
_STEP_COLUMNS = ("step", "global_step", "_step", "train/global_step", "iteration")
_TIME_COLUMNS = ("_timestamp", "timestamp", "time", "wall_time")
_MOST_STEP = 2**53
"""Beyond it a float does not tell one step from the next."""
_ESCAPED = re.compile("[\udc80-\udcff]")
"""A byte that was no UTF-8, as surrogateescape gives it."""

LONGEST_CELL = 131_072
"""Characters; a longer one is a quote left open, not a number."""


def read_trainer_state(path: Path) -> ForeignRun:
    """The log history of a Hugging Face Trainer; RlftError for a file without one."""
    try:
        state = json.loads(path.read_bytes())
        history = list(state["log_history"])
        settings = {
            key: value
            for key, value in state.items()
            if isinstance(value, int | float | str) and key != "epoch"
        }
    except RecursionError:
        raise RlftError("not a trainer_state.json: nested too deeply", where=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RlftError("not a trainer_state.json: it has no log_history", where=str(path)) from None
    read = _Rows()
    for at, entry in enumerate(history):
        where = f"entry {at + 1} of log_history"
        if isinstance(entry, dict):
            read.add(entry, at, where)
        else:
            read.refused.append(f"{where}: no object")
    if not read.rows and read.refused:
        raise RlftError(f"no metrics in its log_history; {read.refused[0]}", where=str(path))
    return ForeignRun(
        path.resolve().parent.name, "trainer_state", tuple(read.rows), settings, tuple(read.refused)
    )


def read_csv(path: Path) -> ForeignRun:
    """A column a metric, a row a step; RlftError for a file without numbers."""
    read, words = _Rows(), _Words()
    # The limit is the process's: whoever reads a table sets its own.
    csv.field_size_limit(LONGEST_CELL)
    # Bytes that are no UTF-8 come as lone surrogates, so that only their own row is refused.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=_separator(stream.readline(LONGEST_CELL)))
        stream.seek(0)
        try:
            for at, entry in enumerate(reader):
                numbers = read.add(entry, at, f"line {reader.line_num}")
                words.note(entry, numbers, reader.line_num)
        except csv.Error as error:
            where = f"{path}:{reader.line_num}"
            raise RlftError(
                f"not valid CSV: {error}", where=where, remedy="Look for a quote left open"
            ) from None
    if not read.rows:
        first = f"; {read.refused[0]}" if read.refused else ""
        raise RlftError(
            f"no numbers in it: a CSV needs a header and a column a metric{first}", where=str(path)
        )
    # A table has no order of its own, and a step that is given twice says the last thing it said.
    rows = sorted(read.rows, key=lambda row: row.step)
    metrics = {key for row in rows for key in row.values}
    return ForeignRun(path.stem, "csv", tuple(rows), refused=(*read.refused, *words.among(metrics)))


def _separator(header: str) -> str:
    """A comma, or what stands between the names of the first line in its place."""
    return "," if "," in header else max(";\t", key=header.count) if re.search("[;\t]", header) else ","


class _Words:
    """Cells of a table that are no numbers: a column of words is one of words, but not one of numbers too."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def note(self, entry: Mapping[Any, Any], numbers: Set[str], line: int) -> None:
        for key in entry.keys() - numbers:
            cell = entry[key]
            if isinstance(key, str) and isinstance(cell, str) and cell.strip() and _value(cell) is None:
                self._count[key] += 1
                self._first.setdefault(key, line)

    def among(self, metrics: Collection[str]) -> list[str]:
        """A line for each column that has both."""
        return [
            f"column {key}: {count} {'cell is no number' if count == 1 else 'cells are no numbers'}, "
            f"the first in line {self._first[key]}"
            for key, count in self._count.items()
            if key in metrics
        ]


class _Rows:
    """What a table's rows become, and why some became nothing."""

    def __init__(self) -> None:
        self.rows: list[LoggedRow] = []
        self.refused: list[str] = []

    def add(self, entry: Mapping[str, Any], at: int, where: str) -> Set[str]:
        """``at``: the step of a row in a table that has no column of steps. The metrics that it has."""
        try:
            row = _row(entry, at)
        except ValueError as error:
            self.refused.append(f"{where}: {error}")
            return frozenset()
        self.rows.append(row)
        return row.values.keys()


def _row(entry: Mapping[str, Any], at: int) -> LoggedRow:
    """ValueError, with words for the user, for a row that cannot be shown."""
    texts = [text for pair in entry.items() for text in pair if isinstance(text, str)]
    if any(_ESCAPED.search(text) for text in texts):
        raise ValueError("not UTF-8")
    times = (_time(entry.get(key)) for key in _TIME_COLUMNS)
    skipped = (*_STEP_COLUMNS, *_TIME_COLUMNS)
    values = {
        key: found
        for key, item in entry.items()
        if isinstance(key, str) and key not in skipped and (found := _value(item)) is not None
    }
    if not values:
        raise ValueError("no number in it")
    t = next((found for found in times if found is not None and math.isfinite(found)), None)
    return LoggedRow(_step(entry, at), t, values)


def _step(entry: Mapping[str, Any], at: int) -> int:
    given = [entry[key] for key in _STEP_COLUMNS if key in entry]
    if not given:
        return at
    cell = next((cell for cell in given if cell not in (None, "")), None)
    if cell is None:
        raise ValueError("no step")
    step = _value(cell)
    if step is None or not step.is_integer() or abs(step) > _MOST_STEP:
        raise ValueError(f"step {str(cell)[:40]!r} is no whole number below 2**53")
    if step < 0:
        raise ValueError(f"step {int(step)} is below 0")
    return int(step)


def _time(item: object) -> float | None:
    """Unix seconds, or a date and time as ISO 8601 writes it."""
    if (found := _value(item)) is None and isinstance(item, str):
        try:
            return datetime.fromisoformat(item.strip()).timestamp()
        except (ValueError, OverflowError):
            return None
    return found


def _value(item: object) -> float | None:
    if isinstance(item, str):
        try:
            return float(item)
        except ValueError:
            return None
    return number(item)
