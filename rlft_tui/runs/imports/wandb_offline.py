"""W&B offline runs: ``run-….wandb``, LevelDB's log format around wandb_internal.Record messages."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.runs.imports.foreign_run import ForeignRun, LoggedRow
from rlft_tui.runs.imports.protobuf import as_signed, fields_of
from rlft_tui.runs.run_event import number as as_number

PATTERN = "*.wandb"
_HEADER = b":W&B"
_BLOCK = 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HISTORY, _CONFIG, _RUN = 2, 5, 17
_ITEM, _STEP, _KEY, _NESTED, _JSON = 1, 2, 1, 2, 16
_RUN_CONFIG, _DISPLAY_NAME = 4, 8


def read_wandb(path: Path) -> ForeignRun:
    """History and configuration of a .wandb file; what is torn at its end is left out."""
    name = path.stem.removeprefix("run-")
    settings: dict[str, Any] = {}
    rows: list[LoggedRow] = []
    for record in _records(path):
        try:
            for kind, message in fields_of(record):
                if not isinstance(message, bytes):
                    continue
                if kind == _HISTORY and (row := _history(message, len(rows))) is not None:
                    rows.append(row)
                elif kind == _CONFIG:
                    settings.update(_items(message))
                elif kind == _RUN:
                    name = _run(message, settings) or name
        except (ValueError, OverflowError):
            continue
    return ForeignRun(name, "wandb", tuple(rows), settings)


def _run(message: bytes, settings: dict[str, Any]) -> str:
    name = ""
    for number, value in fields_of(message):
        if number == _RUN_CONFIG and isinstance(value, bytes):
            settings.update(_items(value))
        elif number == _DISPLAY_NAME and isinstance(value, bytes):
            name = value.decode("utf-8", "replace")
    return name


def _history(message: bytes, counted: int) -> LoggedRow | None:
    step: int | None = None
    for number, value in fields_of(message):
        if number == _STEP and isinstance(value, bytes):
            step = next((as_signed(part) for field, part in fields_of(value) if field == 1), 0)
    items = _items(message)
    # The trainer's own step where it logs one: W&B's counts calls.
    for key in ("train/global_step", "_step"):
        if (logged := as_number(items.get(key))) is not None:
            step = int(logged)
            break
    numbers = {key: as_number(item) for key, item in items.items() if key[:1] != "_"}
    values = {key: logged for key, logged in numbers.items() if logged is not None}
    if not values:
        return None
    return LoggedRow(counted if step is None else step, as_number(items.get("_timestamp")), values)


def _items(message: bytes) -> dict[str, Any]:
    """The key-value pairs of a history or config message; ``update`` and ``item`` have one number."""
    found: dict[str, Any] = {}
    for number, item in fields_of(message):
        if number != _ITEM or not isinstance(item, bytes):
            continue
        key, nested, text = "", [], ""
        for field, value in fields_of(item):
            if not isinstance(value, bytes):
                continue
            if field == _KEY:
                key = value.decode("utf-8", "replace")
            elif field == _NESTED:
                nested.append(value.decode("utf-8", "replace"))
            elif field == _JSON:
                text = value.decode("utf-8", "replace")
        try:
            found[key or "/".join(nested)] = json.loads(text)
        except (ValueError, RecursionError):
            continue
    return found


def _records(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        if stream.read(4) != _HEADER:
            raise RlftError("not a W&B offline run: its header is another", where=str(path))
        stream.seek(7)
        at, pieces = 7, b""
        while True:
            left = _BLOCK - at % _BLOCK
            if left < 7:  # too short for a record's head: filled with zeros
                stream.seek(left, 1)
                at += left
                continue
            head = stream.read(7)
            if len(head) < 7:
                return
            _, size, kind = struct.unpack("<IHB", head)
            data = stream.read(size)
            at += 7 + size
            if len(data) < size:
                return
            if kind == _FULL:
                yield data
            elif kind == _FIRST:
                pieces = data
            elif kind == _MIDDLE:
                pieces += data
            elif kind == _LAST:
                yield pieces + data
                pieces = b""
