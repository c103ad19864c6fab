"""Runs: launch, list, follow, stop, resume, delete."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.runs.run_setting import RunSetting
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


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


@router.get("/runs/{run_id}/settings", response_model=list[RunSetting])
def settings(services: ServicesOf, run_id: str) -> Response:
    """What may change while the run runs."""
    return reply(services.supervisor.control.settings(run_id))


@router.post("/runs/{run_id}/settings", response_model=list[RunSetting])
def change(services: ServicesOf, run_id: str, content: Content) -> Response:
    """Values by name: alarm limits, sample_every, evaluate_every, answers_every."""
    return reply(services.supervisor.control.change(run_id, decode(content, dict[str, Any])))


@router.post("/runs/{run_id}/stop", response_model=RunSummary)
def stop(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.control.stop(run_id))


@router.post("/runs/{run_id}/pause", response_model=RunSummary)
def pause(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.control.pause(run_id))


@router.post("/runs/{run_id}/cancel", response_model=RunSummary)
def cancel(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.control.cancel(run_id))


@router.post("/runs/{run_id}/kill", response_model=RunSummary)
def kill(services: ServicesOf, run_id: str) -> Response:
    return reply(services.supervisor.control.kill(run_id))


@router.post("/runs/{run_id}/move", response_model=RunSummary)
def move(services: ServicesOf, run_id: str, to: str) -> Response:
    """``to``: first, last, up or down."""
    return reply(services.supervisor.control.move(run_id, to))


@router.post("/runs/{run_id}/resume", response_model=RunSummary)
def resume(services: ServicesOf, run_id: str, now: bool = False) -> Response:
    """``now``: beside whatever is active."""
    return reply(services.supervisor.control.resume(run_id, now=now))


@router.delete("/runs/{run_id}")
def delete(services: ServicesOf, run_id: str) -> dict[str, Any]:
    services.supervisor.delete(run_id)
    return {}
