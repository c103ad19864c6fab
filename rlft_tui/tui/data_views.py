"""The four tables of the data screen: columns, rows from the server, details of one row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from rlft_tui.datasets.dataset import KINDS, Dataset
from rlft_tui.datasets.derive import METHOD_KINDS
from rlft_tui.labels.preference import ListedLabel
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message, Prompt
from rlft_tui.record import Record
from rlft_tui.tui.run_text import ago, counted, plain
from rlft_tui.tui.widgets.row_window import Column, Row

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

ViewName = Literal["prompts", "pairs", "labels", "datasets"]

Item = Prompt | ResponsePair | ListedLabel | Dataset


class DataView(Record, frozen=True):
    """One table of the data screen."""

    title: str
    columns: tuple[Column, ...]
    searchable: bool
    empty: str
    """What to do when there is nothing."""


VIEWS: dict[ViewName, DataView] = {
    "prompts": DataView(
        "Prompts",
        (Column("prompt"), Column("category", 14), Column("turns", 5, right=True), Column("source", 16)),
        True,
        "No prompts yet. In a shell:  rlft prompts import FILE",
    ),
    "pairs": DataView(
        "Pairs",
        (Column("prompt"), Column("category", 14), Column("model a", 14), Column("model b", 14)),
        True,
        "No pairs yet. In a shell:  rlft pairs import FILE   or   rlft pairs generate",
    ),
    "labels": DataView(
        "Labels",
        (
            Column("verdict", 7),
            Column("sure", 4, right=True),
            Column("prompt"),
            Column("labeller", 12),
            Column("time", 6, right=True),
            Column("when", 9, right=True),
        ),
        False,
        "No labels yet. Press 2 to label.",
    ),
    "datasets": DataView(
        "Data sets",
        (
            Column("name"),
            Column("kind", 10),
            Column("hash", 12),
            Column("train", 7, right=True),
            Column("held out", 8, right=True),
            Column("made", 9, right=True),
        ),
        True,
        "No data sets yet. Press b to build one from the labels.",
    ),
}


def fetch_page(
    client: WorkspaceClient, view: ViewName, search: str, offset: int, limit: int
) -> tuple[Sequence[Item], int]:
    """Items of a view from ``offset``, and how many there are in all."""
    if view == "prompts":
        page = client.prompts(offset=offset, limit=limit, search=search)
        return page.prompts, page.total
    if view == "pairs":
        page = client.pairs(offset=offset, limit=limit, search=search)
        return page.pairs, page.total
    if view == "labels":
        return client.listed_labels(offset=offset, limit=limit), client.label_stats().total
    found = [
        one for one in client.datasets() if search.lower() in f"{one.name} {one.kind} {one.hash}".lower()
    ]
    return found[offset : offset + limit], len(found)


def row_of(item: Item, now: float) -> Row:
    """The cells of one item."""
    if isinstance(item, Prompt):
        return [plain(item.prompt), item.category, str(len(item.context) or ""), item.source]
    if isinstance(item, ResponsePair):
        return [plain(item.prompt), item.category, item.model_a, item.model_b]
    if isinstance(item, ListedLabel):
        one = item.verdict
        sure = "" if one.confidence is None else str(one.confidence)
        seconds = f"{one.time_spent_ms / 1000:.0f} s" if one.time_spent_ms else ""
        prompt = plain(item.prompt) or "(the pair is not stored)"
        return [one.choice, sure, prompt, one.labeler_id, seconds, ago(one.created_at, now)]
    name = (item.name or "–", "heading")
    made = ago(item.created_at, now)
    return [name, item.kind, item.hash, f"{item.train_rows:,}", f"{item.heldout_rows:,}", made]


def detail_of(item: Item, pair: ResponsePair | None = None) -> str:
    """Everything about one item, as Markdown; ``pair`` is the one that a verdict is about."""
    if isinstance(item, Prompt):
        return _joined(
            [_turns(item.context, item.prompt), _facts(category=item.category, source=item.source)]
        )
    if isinstance(item, ResponsePair):
        return pair_detail(item)
    if isinstance(item, ListedLabel):
        one = item.verdict
        side = {"a": "a is better", "b": "b is better", "tie": "tie"}[one.choice]
        verdict = f"**{side}**" + (f", confidence {one.confidence}" if one.confidence else "")
        note = f"Note: {one.reasoning}" if one.reasoning else ""
        seen = f"{one.labeler_id} ({one.source}) saw {one.shown_first} on the left"
        parts = [verdict, note, seen]
        return _joined([*parts, pair_detail(pair) if pair is not None else ""])
    return _dataset_detail(item)


def pair_detail(pair: ResponsePair) -> str:
    facts = _facts(
        category=pair.category,
        source=pair.source,
        **{side: _how(made) for side, made in pair.settings.items()},
    )
    sides = [
        f"**▌ {side}**" + (f" · {plain(model)}" if model else "") + f"\n\n{text or '*(empty)*'}"
        for side, model, text in (
            ("a", pair.model_a, pair.response_a),
            ("b", pair.model_b, pair.response_b),
        )
    ]
    return _joined([_turns(pair.context, pair.prompt), *sides, facts])


def _dataset_detail(item: Dataset) -> str:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.created_at))
    came = f", from {item.source}" if item.source else ""
    rows = f"{counted(item.train_rows, 'row')} to train on, {item.heldout_rows:,} held out{came}"
    left_out = "\n".join(f"- {count:,} × {reason}" for reason, count in item.left_out.items())
    left = f"Left out:\n\n{left_out}" if left_out else "Nothing was left out."
    methods = [method for method, kinds in METHOD_KINDS.items() if item.kind in kinds]
    holds = f"{item.kind}: {KINDS[item.kind]}. For rlft train {', '.join(methods)}."
    check = f"Look at the exact tokens before training:\n\n    rlft data check {item.hash}"
    return _joined(
        [
            f"**{item.name or item.hash}**",
            rows,
            holds,
            left,
            check,
            _facts(hash=item.hash, path=item.path, made=made),
        ]
    )


def _turns(context: tuple[Message, ...], prompt: str) -> str:
    if not context:
        return prompt
    return _joined([*(f"**{turn.role}**\n\n{turn.content}" for turn in context), f"**user**\n\n{prompt}"])


def _facts(**facts: Any) -> str:
    return " · ".join(f"{name} {value}" for name, value in facts.items() if value)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _how(made: object) -> str:
    """How an answer was drawn, in words."""
    if not isinstance(made, dict):
        return str(made)
    parts = (
        str(name) if value is True else f"{name} {value}"
        for name, value in made.items()
        if value is not False
    )
    return " ".join(parts)
