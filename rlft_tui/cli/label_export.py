"""Labels page by page, and the files that no export may replace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import ConflictError
from rlft_tui.labels.preference import BetterAnswer, Preference
from rlft_tui.paths import SETTINGS_NAME, Workspace

_PAGE = 1000


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


def all_written(
    client: WorkspaceClient, *, labeler: str = "", offset: int = 0, limit: int | None = None
) -> Iterator[BetterAnswer]:
    """Better answers that stand, page by page, oldest first."""
    left = limit
    while left is None or left > 0:
        page = client.better_answers(labeler=labeler, offset=offset, limit=min(_PAGE, left or _PAGE))
        yield from page
        if len(page) < _PAGE:
            return
        offset += len(page)
        left = None if left is None else left - len(page)


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
