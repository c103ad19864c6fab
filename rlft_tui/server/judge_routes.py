"""Judges: launch, what came of a run, its calls, calibration, rubrics."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.judge import calibration_table, judgements_table
from rlft_tui.evaluations.judge.judgement import Tally, read_judgements
from rlft_tui.evaluations.judge.request import (
    Calibration,
    JudgementPage,
    JudgeRequest,
    JudgeRun,
    RubricEntry,
)
from rlft_tui.evaluations.judge.rubric import read_rubric, rubric_files
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.runs.specs.judge import JudgeSpec
from rlft_tui.server.paging import Offset, PageLimit
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, Services, ServicesOf

router = APIRouter(prefix="/judge")


@router.post("/runs", response_model=RunSummary)
def launch(services: ServicesOf, content: Content) -> Response:
    asked = decode(content, JudgeRequest)
    request = services.judges.resolve(asked)
    now = not request.spec.needs_training_stack() if asked.now is None else asked.now
    return reply(services.supervisor.start_request(request, now=now))


@router.get("/runs", response_model=list[JudgeRun])
def runs(services: ServicesOf) -> Response:
    """Newest first."""
    found = [run.id for run in services.supervisor.summaries() if run.method == "judge"]
    return reply([_judge_run(services, run_id) for run_id in found])


@router.get("/runs/{run_id}", response_model=JudgeRun)
def run(services: ServicesOf, run_id: str) -> Response:
    return reply(_judge_run(services, run_id))


@router.get("/runs/{run_id}/judgements", response_model=JudgementPage)
def judgements(
    services: ServicesOf, run_id: str, status: str = "", offset: Offset = 0, limit: PageLimit = 100
) -> Response:
    """Calls in the order they were made; ``status``: parsed, unparsable or refused."""
    services.supervisor.summary(run_id)
    with services.database.reader() as connection:
        total, found = judgements_table.list_judgements(
            connection, run_id, status=status, offset=offset, limit=limit
        )
    return reply(JudgementPage(total, found))


@router.get("/calibration", response_model=Calibration)
def calibration(services: ServicesOf, judge: str, labeler: str = "") -> Response:
    """A judge against one labeller, or whoever is no judge."""
    with services.database.reader() as connection:
        return reply(calibration_table.calibration(connection, judge, labeler))


@router.get("/names", response_model=list[str])
def names(services: ServicesOf) -> Response:
    """Every judge that has judged here."""
    with services.database.reader() as connection:
        return reply(calibration_table.judge_names(connection))


@router.get("/rubrics", response_model=list[RubricEntry])
def rubrics(services: ServicesOf) -> Response:
    found = []
    for name, path in rubric_files(services.workspace.rubrics, services.judges.built_in).items():
        try:
            one = read_rubric(path)
        except RlftError as error:
            found.append(RubricEntry(name, path=str(path), fault=str(error)))
            continue
        versions = {"pair": one.version("pair"), "rating": one.version("rating")}
        found.append(RubricEntry(name, one.title, versions, str(path)))
    return reply(found)


def _judge_run(services: Services, run_id: str) -> JudgeRun:
    summary = services.supervisor.summary(run_id)
    spec = services.supervisor.spec_of(run_id)
    if not isinstance(spec, JudgeSpec):
        raise RlftError("not a judge's run", where=run_id, remedy="rlft judge show lists them")
    folder = services.supervisor.folder(run_id)
    tally, seen = Tally(), set[str]()
    for one, _ in read_judgements(folder.judgements):
        if one.id not in seen:
            seen.add(one.id)
            tally = tally.plus(one)
    with (folder.root / spec.items).open("rb") as stream:
        items = sum(1 for line in stream if line.strip())
    orders = 2 if spec.mode == "pair" and spec.both_orders else 1
    provider = spec.provider
    return JudgeRun(
        id=run_id,
        judge=spec.name,
        mode=spec.mode,
        model=f"{provider.name}:{provider.model}" if provider else spec.model.name if spec.model else "",
        rubric=spec.rubric.name,
        rubric_version=spec.rubric.version,
        status=summary.status,
        items=items,
        calls=items * orders,
        tally=tally,
        created=summary.created,
    )
