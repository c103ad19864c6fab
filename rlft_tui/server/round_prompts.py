"""Prompts for a round: ones that neither the model nor anything it was made from was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from rlft_tui.datasets.dataset_files import HELDOUT, TRAIN, read_kind, read_rows
from rlft_tui.datasets.datasets_table import list_datasets
from rlft_tui.datasets.rows import PromptRow, Row, prompt_key
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.ids import derived_id
from rlft_tui.models.models_table import list_models
from rlft_tui.prompts.prompt import Message, Prompt, conversation
from rlft_tui.prompts.prompts_table import prompts_page

_PAGE = 1000
_MOST_LOOKED_AT = 50_000
"""Stored prompts that are looked through for unseen ones."""


def unseen_prompts(
    connection: duckdb.DuckDBPyConnection,
    dataset: Path | None,
    model: str,
    count: int,
    *,
    seed: str,
    used: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """At most ``count`` prompts as a generate run takes them, the held-out ones of the data first.

    ``dataset``: the folder that the model was trained on; ``used``: ids of prompts that came before.
    Which ones and in which order follows from ``seed``. RlftError when there is none.
    """
    seen = {
        prompt_key(row) for folder in _trained_on(connection, dataset, model) for row in _rows(folder, TRAIN)
    }
    found: dict[str, dict[str, Any]] = {}

    def take(rows: Iterable[Row]) -> None:
        fresh = {prompt_key(row): row for row in rows if prompt_key(row) not in seen}
        for key in sorted(fresh, key=lambda key: hashlib.sha256(f"{seed}\x1f{key}".encode()).digest()):
            value = _as_value(fresh[key])
            if len(found) < count and value["id"] not in used:
                found.setdefault(key, value)

    if dataset is not None:
        take(_rows(dataset, HELDOUT))
    if len(found) < count:
        take(_stored(connection))
    if not found:
        raise RlftError(
            "no prompts that it was not trained on" + (" and that were not asked yet" if used else ""),
            where=model,
            remedy="Import some: rlft prompts import FILE",
        )
    return list(found.values())


def used_prompts(runs: Path, run_ids: Iterable[str]) -> frozenset[str]:
    """Ids of the prompts that these generate runs were given, as far as they are still there."""
    import json

    ids: set[str] = set()
    for run_id in run_ids:
        try:
            lines = (runs / run_id / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        ids.update(str(json.loads(line)["id"]) for line in lines if line.strip())
    return frozenset(ids)


def as_rows(prompts: Iterable[Prompt]) -> list[dict[str, Any]]:
    """Stored prompts as a generate run takes them."""
    return [_as_value(_row_of(one)) for one in prompts]


def stored_prompts(connection: duckdb.DuckDBPyConnection, count: int) -> list[dict[str, Any]]:
    """The first prompts of the workspace; RlftError when there is none."""
    _, prompts = prompts_page(connection, limit=count)
    if not prompts:
        raise RlftError("there are no prompts here", remedy="Import some: rlft prompts import FILE")
    return as_rows(prompts)


def _trained_on(connection: duckdb.DuckDBPyConnection, dataset: Path | None, model: str) -> list[Path]:
    """Folders of the data behind a model and the models below it."""
    folders = [dataset] if dataset is not None else []
    known = {one.name: one for one in list_models(connection)}
    places = {one.hash: Path(one.path) for one in list_datasets(connection)}
    name, met = model, set[str]()
    while name in known and name not in met:
        met.add(name)
        if known[name].dataset in places:
            folders.append(places[known[name].dataset])
        name = known[name].base
    return folders


def _rows(folder: Path, name: str) -> Iterator[Row]:
    try:
        yield from read_rows(folder / name, read_kind(folder))
    except NotFoundError:
        return


def _stored(connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    for offset in range(0, _MOST_LOOKED_AT, _PAGE):
        _, page = prompts_page(connection, offset=offset, limit=_PAGE)
        yield from (_row_of(one) for one in page)
        if len(page) < _PAGE:
            return


def _row_of(prompt: Prompt) -> PromptRow:
    return PromptRow(conversation(prompt.prompt, prompt.context), category=prompt.category)


def _as_value(row: Row) -> dict[str, Any]:
    *context, last = row.prompt
    turns = tuple(Message(turn["role"], turn["content"]) for turn in context)  # type: ignore[arg-type]
    said = (part for turn in turns for part in (turn.role, turn.content))
    return {
        "id": derived_id("prompt", last["content"], *said),
        "prompt": last["content"],
        "context": [{"role": turn.role, "content": turn.content} for turn in turns],
        "category": row.category,
    }
