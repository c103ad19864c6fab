"""Runs: launch, list, follow, stop, resume, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.runs.run_status import LogPage, RunSummary, Sample, Series
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()
_MOST_POINTS = 1_000_000


@router.post("/runs", response_model=RunSummary)
def launch(services: ServicesOf, content: Content) -> Response:
    return reply(services.supervisor.launch(decode(content, dict[str, Any])))


@router.get("/runs", response_model=list[RunSummary])
def runs(services: ServicesOf) -> Response:
    return reply(services.supervisor.summaries())


@router.get("/runs/{run_id}", response_model=RunSummary)
def run(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.summary(run_id))


@router.get("/runs/{run_id}/spec", response_model=dict[str, Any])
def spec(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.spec(run_id))


@router.get("/runs/{run_id}/series", response_model=list[Series])
def series(
    services: ServicesOf,
    run_id: str,
    keys: str = "",
    points: Annotated[int, Query(ge=1, le=_MOST_POINTS)] = 500,
) -> Response:
    """``keys``: separated by commas; ``/…/`` is a regular expression; none for all."""
    wanted = [key for key in keys.split(",") if key] if not keys.startswith("/") else [keys]
    return reply(services.supervisor.series(run_id, wanted, points))


@router.get("/runs/{run_id}/samples", response_model=list[Sample])
def samples(services: ServicesOf, run_id: str, after_step: int = -1) -> Response:
    return reply(services.supervisor.samples(run_id, after_step))


@router.get("/runs/{run_id}/log", response_model=LogPage)
def log(
    services: ServicesOf, run_id: str, start: int = -1, limit: Annotated[int, Query(ge=1)] = 65536
) -> Response:
    return reply(services.supervisor.log_page(run_id, start, limit))


@router.post("/runs/{run_id}/stop", response_model=RunSummary)
def stop(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.stop(run_id))


@router.post("/runs/{run_id}/resume", response_model=RunSummary)
def resume(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.resume(run_id))


@router.delete("/runs/{run_id}")
def delete(services: ServicesOf, run_id: str) -> dict[str, Any]:
    services.supervisor.delete(run_id)
    return {}
