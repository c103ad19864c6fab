"""A suite frozen for one run: its tasks, the rows of each, and a hash of all that a value depends on.

The run keeps its own copy, so a file that is edited later changes nothing that was measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.suites.read_suite import find_suite, parse_suite, read_suite
from rlft_tui.evaluations.suites.tasks import HarnessTask, PerplexityTask, Suite, Task
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.prompts.row_reader import read_rows
from rlft_tui.record import Record

SUITE = "suite"
"""The folder in a run's own."""
MANIFEST = "suite.json"
ID = "_item"
_IDS = ("id", "item_id", "task_id", "example_id")
"""Columns that name an item, the first that is there."""
_IN_CONTENT = ("name", "file", "limit")
"""What says nothing about a value that its rows don't say."""
MOST_ITEMS = 200_000
_MOST_FOLDER_MB = 64


class FrozenTask(Record, frozen=True):
    """One task of a run's own copy."""

    spec: Task
    settings: str
    """Hash of the task's rows and settings and of the run's, the model apart."""
    rows: Path
    """JSONL file with the items, each with its id; the folder of an lm-eval task."""

    @property
    def name(self) -> str:
        return self.spec.name

    def items(self) -> list[dict[str, Any]]:
        """The rows, each with ``_item``."""
        if isinstance(self.spec, HarnessTask):
            return []
        return [json.loads(line) for line in self.rows.read_bytes().splitlines() if line.strip()]


def freeze_suite(
    name: str, workspace: Path | None, run: dict[str, Any], *, most: int = 0
) -> dict[str, bytes]:
    """Path in the run folder → content. ``run``: settings of the run that a value depends on; ``most``: items
    of each task, 0 for all.

    RlftError names the row that cannot be used.
    """
    path = find_suite(name, workspace)
    suite = read_suite(path)
    files: dict[str, bytes] = {}
    tasks = []
    for at, whole in enumerate(suite.task):
        task = whole.model_copy(update={"limit": min(most, whole.limit or most)}) if most else whole
        folder = f"{SUITE}/{at}"
        if isinstance(task, HarnessTask):
            made = dict(_folder(path.parent, task, folder))
            rows = folder
        else:
            rows = f"{folder}.jsonl"
            made = {rows: _rows(path.parent, task)}
        files |= made
        tasks.append({"task": task.model_dump(mode="json"), "rows": rows, "settings": _hash(task, made, run)})
    manifest = {"name": name, "title": suite.title, "tasks": tasks}
    files[f"{SUITE}/{MANIFEST}"] = json.dumps(manifest, indent=1).encode()
    return files


def read_frozen(run_folder: Path) -> tuple[str, tuple[FrozenTask, ...]]:
    """Name of the suite and its tasks, from a run's own copy."""
    path = run_folder / SUITE / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError("the run has no suite", where=str(run_folder)) from None
    return json.loads(content)["name"], tasks_of(content, run_folder)


def tasks_of(manifest: bytes, run_folder: Path) -> tuple[FrozenTask, ...]:
    """The tasks of a ``suite.json``, their rows below ``run_folder``."""
    record = json.loads(manifest)
    suite: Suite = parse_suite({"task": [one["task"] for one in record["tasks"]]}, where=MANIFEST)
    return tuple(
        FrozenTask(task, one["settings"], run_folder / one["rows"])
        for task, one in zip(suite.task, record["tasks"], strict=True)
    )


def _rows(folder: Path, task: Task) -> bytes:
    path = folder / task.file
    if not path.is_file():
        raise NotFoundError(f"task {task.name} has no file {task.file}", where=str(path))
    lines: list[bytes] = []
    seen: set[str] = set()
    for row in _take(path, task):
        name = _item_id(row)
        if name in seen:
            name = f"{name}#{len(lines)}"
        seen.add(name)
        lines.append(orjson.dumps({ID: name, **row}) + b"\n")
    if not lines:
        raise RlftError(f"task {task.name} has no items", where=str(path))
    return b"".join(lines)


def _take(path: Path, task: Task) -> Iterator[dict[str, Any]]:
    most = task.limit or MOST_ITEMS
    column = task.text if isinstance(task, PerplexityTask) and task.over == "text" else ""
    taken = 0
    for row in read_rows(path.name, path):
        if isinstance(row, LineReport):
            raise RlftError(row.reason, where=f"{path}:{row.line}")
        if taken == most:
            return
        values = row.values
        if column and path.suffix == ".txt":
            values = {column: values["prompt"]}
            if not values[column].strip():
                continue
        yield values
        taken += 1


def _item_id(row: dict[str, Any]) -> str:
    for column in _IDS:
        if isinstance(row.get(column), str | int) and str(row[column]):
            return str(row[column])
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _folder(beside: Path, task: HarnessTask, target: str) -> Iterator[tuple[str, bytes]]:
    if not task.folder:
        return
    source = beside / task.folder
    if not source.is_dir():
        raise NotFoundError(f"task {task.name} has no folder {task.folder}", where=str(source))
    total = 0
    for path in sorted(source.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            total += len(content)
            if total > _MOST_FOLDER_MB << 20:
                raise RlftError(f"more than {_MOST_FOLDER_MB} MB of task files", where=str(source))
            yield f"{target}/{path.relative_to(source)}", content


def _hash(task: Task, files: dict[str, bytes], run: dict[str, Any]) -> str:
    content = [hashlib.sha256(files[path]).hexdigest() for path in sorted(files)]
    spec = {key: value for key, value in task.model_dump(mode="json").items() if key not in _IN_CONTENT}
    if isinstance(task, HarnessTask):
        spec["limit"] = task.limit
    text = orjson.dumps([content, spec, run], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]
