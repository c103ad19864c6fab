"""Verdicts joined with their pairs, written for TRL or for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import ConflictError
from rlft_tui.labels.preference import Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import SETTINGS_NAME, Workspace
from rlft_tui.prompts.prompt import conversation

_PAGE = 1000

Judged = tuple[ResponsePair, Preference]

COLUMNS = (
    "prompt",
    "response_a",
    "response_b",
    "choice",
    "confidence",
    "labeler",
    "model_a",
    "model_b",
    "category",
    "note",
    "shown_first",
    "time_spent_ms",
    "created_at",
    "pair_id",
    "label_id",
)


def all_labels(
    client: WorkspaceClient, *, labeler: str = "", offset: int = 0, limit: int | None = None
) -> Iterator[Preference]:
    """Current verdicts page by page, oldest first."""
    left = limit
    while left is None or left > 0:
        page = client.labels(labeler=labeler, offset=offset, limit=min(_PAGE, left or _PAGE))
        yield from page
        if len(page) < _PAGE:
            return
        offset += len(page)
        left = None if left is None else left - len(page)


def judged_pairs(client: WorkspaceClient, *, labeler: str = "") -> Iterator[Judged]:
    """Each current verdict with the pair it is about."""
    labels = list(all_labels(client, labeler=labeler))
    wanted = {label.example_id for label in labels}
    pairs: dict[str, ResponsePair] = {}
    offset = 0
    while len(pairs) < len(wanted):
        page = client.pairs(offset=offset, limit=_PAGE).pairs
        if not page:
            break
        pairs.update((pair.id, pair) for pair in page if pair.id in wanted)
        offset += len(page)
    for label in labels:
        yield pairs.get(label.example_id) or client.pair(label.example_id), label


def encode_trl(rows: Sequence[Judged]) -> tuple[int, bytes]:
    """TRL's conversational preference rows, one JSON object a line, and how many there are."""
    lines = []
    for pair, label in rows:
        if label.choice == "tie":
            continue
        chosen, rejected = pair.response_a, pair.response_b
        if label.choice == "b":
            chosen, rejected = rejected, chosen
        row = {
            "prompt": conversation(pair.prompt, pair.context),
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return len(lines), "".join(lines).encode("utf-8", errors="backslashreplace")


def encode_csv(rows: Sequence[Judged]) -> tuple[int, bytes]:
    """Every verdict as a row of CSV with the columns COLUMNS, and how many there are."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for pair, label in rows:
        writer.writerow(
            (
                pair.prompt,
                pair.response_a,
                pair.response_b,
                label.choice,
                label.confidence if label.confidence is not None else "",
                label.labeler_id,
                pair.model_a,
                pair.model_b,
                pair.category,
                label.reasoning,
                label.shown_first,
                label.time_spent_ms,
                label.created_at,
                pair.id,
                label.id,
            )
        )
    return len(rows), text.getvalue().encode("utf-8", errors="backslashreplace")


def refuse_own_files(workspace: Workspace, target: Path) -> None:
    """ConflictError when the target is one of the files that the workspace lives from."""
    if str(target) == "-":
        return
    place = target.resolve()
    root = workspace.root.resolve()
    if not place.is_relative_to(root) or place == root:
        return
    first = place.relative_to(root).parts[0]
    folders = {
        folder.name for folder in (workspace.datasets, workspace.runs, workspace.models, workspace.backups)
    }
    files = {workspace.database.name, workspace.lock.name, workspace.journal.name, workspace.server_log.name}
    own = first in folders | files | {SETTINGS_NAME} or first.startswith((*files, "server."))
    if own:
        raise ConflictError(
            "this is one of the workspace's own files",
            where=str(target),
            remedy=f"Write it elsewhere, such as {workspace.exports / target.name}",
        )
