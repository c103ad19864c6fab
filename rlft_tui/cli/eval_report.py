"""The body of ``rlft eval report``: measure what is missing, then write one file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlft_tui.cli.options import write_file
from rlft_tui.cli.session import Session
from rlft_tui.client.evaluation_board import page_of, read_board
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.report.board import Board
from rlft_tui.evaluations.report.tables import markdown, to_csv

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

ENDINGS = (".html", ".md", ".csv")


def write_report(
    session: Session,
    *,
    outputs: Sequence[Path],
    baseline: str,
    models: Sequence[str],
    suites: Sequence[str],
    measure: Sequence[str],
    judges: Sequence[str],
    items: int,
    title: str,
) -> None:
    """Measure, judge, and write the same board into each file; prints their names."""
    if not outputs:
        outputs = [session.workspace().exports / f"report-{time.strftime('%Y-%m-%d')}.html"]
        outputs[0].parent.mkdir(parents=True, exist_ok=True)
    for path in outputs:
        # Before anything is measured: that may take an hour.
        _refuse_place(path)
    with session.connect() as client:
        called = {one.current_of: one.name for one in client.models() if one.current_of}
        if measure:
            called |= _measure(session, client, measure, [*dict.fromkeys((baseline, *models))], items)
        baseline, models = called.get(baseline, baseline), [called.get(name, name) for name in models]
        for judge in judges:
            _judge(session, client, judge, baseline, models)
        board = read_board(client, baseline=baseline, models=models, suites=suites)
        if not board.rows:
            raise RlftError("nothing was measured yet", remedy="Give --measure SUITE, or rlft eval run SUITE")
        contents = {path: _content(session, client, board, path.suffix, title) for path in outputs}
    for path, content in contents.items():
        write_file(path, content.encode("utf-8", "replace"))
    names = [str(path) for path in contents]
    session.show(
        {"path": names[0], "paths": names, "models": board.models, "figures": len(board.rows)},
        "\n".join(names),
    )


def _refuse_place(path: Path) -> None:
    """RlftError where no report can be written."""
    if path.suffix not in ENDINGS:
        raise RlftError(
            f"no report is written as {path.suffix or 'a file without ending'}",
            where=str(path),
            remedy=f"End its name with {', '.join(ENDINGS)}",
        )
    if not path.parent.is_dir():
        raise NotFoundError("no such folder", where=str(path.parent), remedy="Make it first")


def _content(session: Session, client: WorkspaceClient, board: Board, ending: str, title: str) -> str:
    if ending == ".csv":
        return to_csv(board)
    if ending == ".md":
        return f"# {title}\n\n{markdown(board)}"
    return page_of(client, board, workspace=session.workspace().root.name, title=title)


def _measure(
    session: Session, client: WorkspaceClient, suites: Sequence[str], models: Sequence[str], items: int
) -> dict[str, str]:
    """Run the suites on every model; what was measured of the same weights before is taken over.

    Under which name each was measured: a policy's is that of its version, a folder's is its last part.
    """
    from rlft_tui.cli.evaluation_launch import launch_evaluations
    from rlft_tui.cli.run_progress import follow_run

    asked = [(suite, model) for suite in suites for model in models if model]
    launched = launch_evaluations(client, {"threads": session.settings().threads, "items": items}, asked)
    for run in launched:
        ended = follow_run(session, client, run.id)
        if ended.status != "finished":
            raise RlftError(
                f"the evaluation {run.id} ended {ended.status}: {ended.error}",
                remedy=f"rlft runs show {run.id}",
            )
    measured = {one.run_id: one.model for one in client.evaluations()}
    return {model: measured.get(run.id, model) for (_, model), run in zip(asked, launched, strict=True)}


def _judge(
    session: Session, client: WorkspaceClient, judge: str, baseline: str, models: Sequence[str]
) -> None:
    """Have a judge compare each model's answers with the baseline's, where pairs of both are stored."""
    from rlft_tui.cli.run_progress import follow_run
    from rlft_tui.evaluations.judge.request import JudgeRequest
    from rlft_tui.ids import new_run_id

    for model in models:
        if model == baseline:
            continue
        asked = JudgeRequest(new_run_id("judge"), judge, model=model, against=baseline)
        try:
            run = client.launch_judge(asked)
        except NotFoundError as error:
            if "judge" not in error.what:
                raise
            session.say(f"{model}: {error.what}")
            continue
        ended = follow_run(session, client, run.id)
        if ended.status != "finished":
            raise RlftError(f"the judge's run {run.id} ended {ended.status}: {ended.error}")
