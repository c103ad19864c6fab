"""The board of models and metrics, read from the server: what dashboard, commands and reports show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.evaluation import Evaluation, ItemPair, MetricChange
from rlft_tui.evaluations.report.board import PEOPLE, Board, make_board
from rlft_tui.evaluations.report.page import Report, html
from rlft_tui.models.model import Rating

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient


MOST_ITEMS = 10
"""Of each task, in a report, on which a model and the baseline differ."""


def read_board(
    client: WorkspaceClient,
    *,
    baseline: str = "",
    models: Sequence[str] = (),
    suites: Sequence[str] = (),
) -> Board:
    """Every newest figure of these models (all that were measured) in these suites (all).

    NotFoundError where the baseline, or a model that was named, was never measured nor judged.
    """
    found = [one for one in client.evaluations() if not suites or one.suite in suites]
    measured = {one.model for one in found}
    ratings = () if suites and PEOPLE not in suites else _ratings(client, baseline)
    known = measured | {one.model for one in ratings}
    for name in (*models, *([baseline] if baseline else [])):
        if name not in known and not (name == baseline and ratings):
            raise NotFoundError(
                f"{name} was never measured here", remedy=f"rlft eval run SUITE --model {name}"
            )
    columns = list(models) or sorted(known)
    changes: list[MetricChange] = []
    if baseline in measured:
        for model in columns:
            if model != baseline and _shares_a_task(found, model, baseline):
                changes += client.evaluation_changes(model, baseline)
    return make_board(found, changes, baseline=baseline, models=columns, ratings=ratings)


def differing_items(
    client: WorkspaceClient, board: Board, most: int
) -> dict[tuple[str, str], list[ItemPair]]:
    """Up to ``most`` items a task on which a model and the baseline got other scores."""
    found: dict[tuple[str, str], list[ItemPair]] = {}
    for row in board.rows:
        for cell in row.cells:
            key = (cell.model, row.task)
            if cell.change is None or not cell.change.n or key in found:
                continue
            page = client.evaluation_pairs(
                cell.model, board.baseline, row.task, suite=row.suite, limit=most, differing=True
            )
            found[key] = list(page.pairs)
    return {key: pairs for key, pairs in found.items() if pairs}


def _ratings(client: WorkspaceClient, baseline: str) -> tuple[Rating, ...]:
    """People's win rates against the baseline; nothing where there are none."""
    if not baseline:
        return ()
    try:
        return client.ratings(against=baseline)
    except NotFoundError:
        return ()


def _shares_a_task(found: Sequence[Evaluation], model: str, baseline: str) -> bool:
    of_base = {(one.suite, one.task, one.settings) for one in found if one.model == baseline}
    return any(one.model == model and (one.suite, one.task, one.settings) in of_base for one in found)


def page_of(client: WorkspaceClient, board: Board, *, workspace: str, title: str) -> str:
    """The whole report on a board as one HTML page: with the items that differ, and the judges."""
    judged = {row.suite.removeprefix("judge:") for row in board.rows if row.suite.startswith("judge:")}
    known = [name for name in client.judge_names() if name in judged]
    report = Report(
        title=title,
        workspace=workspace,
        board=board,
        made=time.time(),
        pairs=differing_items(client, board, MOST_ITEMS) if board.baseline else {},
        calibrations=[client.calibration(name) for name in known],
    )
    return html(report)


def save_report(client: WorkspaceClient, board: Board, folder: Path, *, workspace: str, title: str) -> Path:
    """Write the page into a folder under today's date, never over another; its file."""
    content = page_of(client, board, workspace=workspace, title=title)
    stem, number = f"report-{time.strftime('%Y-%m-%d')}", 1
    path = folder / f"{stem}.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while path.exists():
            number += 1
            path = folder / f"{stem}-{number}.html"
        path.write_bytes(content.encode("utf-8", "replace"))
    except OSError as error:
        raise RlftError(f"the report was not written: {error.strerror}", where=str(path)) from None
    return path
