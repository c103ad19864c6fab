"""Studies: begin, list, look at, stop, go on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import field

from rlft_tui.record import Record
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf
from rlft_tui.tuning.study_view import Study, StudyDetail

router = APIRouter(prefix="/studies")


class ToStudy(Record, frozen=True):
    """A study's file."""

    values: dict[str, Any] = field(default_factory=dict)
    where: str = "study"
    """The file's name, for errors and as the study's name where it has none."""


@router.post("", response_model=Study)
def create(services: ServicesOf, content: Content) -> Response:
    asked = decode(content, ToStudy)
    return reply(services.tuner.create(asked.values, where=asked.where))


@router.get("", response_model=list[Study])
def studies(services: ServicesOf) -> Response:
    """Newest first."""
    return reply(services.tuner.studies())


@router.get("/{name}", response_model=StudyDetail)
def detail(services: ServicesOf, name: str) -> Response:
    return reply(services.tuner.detail(name))


@router.post("/{name}/stop", response_model=Study)
def stop(services: ServicesOf, name: str) -> Response:
    return reply(services.tuner.stop(name))


@router.post("/{name}/resume", response_model=Study)
def resume(services: ServicesOf, name: str, trials: int = 0) -> Response:
    """``trials``: so many more than it was made for."""
    return reply(services.tuner.resume(name, trials=trials))
