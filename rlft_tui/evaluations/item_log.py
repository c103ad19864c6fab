"""``items.jsonl`` of an evaluation: appended to by jobs, read by everybody.

A line counts once it ends with a newline, so a job killed at any moment goes on without a gap or a
repeat. Of two lines of one item the later one counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from rlft_tui.evaluations.evaluation import Item, ItemPage, ItemPair, PairPage

ITEMS = "items.jsonl"
RESULTS = "results.json"


def open_items(path: Path) -> BinaryIO:
    """The file, open for appending; a last line that a kill tore is cut off."""
    stream = path.open("ab")
    size = stream.tell()
    if size:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < size:
            os.truncate(path, whole)
    return stream


def append_items(stream: BinaryIO, items: Iterable[Item]) -> None:
    """On disk before it returns."""
    for item in items:
        stream.write(encode_item(item))
    stream.flush()
    os.fsync(stream.fileno())


def encode_item(item: Item) -> bytes:
    """One line; half a surrogate pair in an answer is kept as an escape."""
    plain = msgspec.to_builtins(item)
    return json.dumps(plain, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def read_items(path: Path, *, task: str = "") -> Iterator[Item]:
    """Finished items in the order of their first lines; nothing where there is no file.

    ``task`` keeps one task.
    """
    found: dict[tuple[str, str], Item] = {}
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            try:
                item = msgspec.convert(json.loads(line), Item)
            except (ValueError, msgspec.ValidationError, RecursionError):
                continue
            if not task or item.task == task:
                found[item.task, item.item] = item
    yield from found.values()


def page_items(
    path: Path, *, task: str = "", offset: int = 0, limit: int = 100, search: str = "", wrong: bool = False
) -> ItemPage:
    """A window of the items; ``search`` looks at the texts, ``wrong`` keeps what scored 0 or failed."""
    wanted = search.casefold()
    found = [
        item
        for item in read_items(path, task=task)
        if (not wanted or wanted in f"{item.prompt}\n{item.output}\n{item.expected}".casefold())
        and (not wrong or is_wrong(item))
    ]
    return ItemPage(len(found), tuple(found[offset : offset + limit]))


def page_pairs(
    path: Path, baseline: Path, *, task: str, offset: int = 0, limit: int = 100, differing: bool = False
) -> PairPage:
    """The items of one task that two runs share; ``differing`` keeps those with other scores."""
    others = {item.item: item for item in read_items(baseline, task=task)}
    found = [
        ItemPair(item.item, item, others[item.item])
        for item in read_items(path, task=task)
        if item.item in others and (not differing or item.scores != others[item.item].scores)
    ]
    return PairPage(len(found), tuple(found[offset : offset + limit]))


def is_wrong(item: Item) -> bool:
    """Whether nothing is right about it: its first score is 0, or it could not be judged."""
    if item.error:
        return True
    first = next(iter(item.scores.values()), None)
    return first is None or first == 0
