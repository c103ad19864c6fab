"""Serving other machines: begin, tell, end. Asked through the socket only."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.errors import UnavailableError
from rlft_tui.record import Record
from rlft_tui.server.answers import RemoteState
from rlft_tui.server.remote_listener import RemoteListener
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import Services, ServicesOf

router = APIRouter()


class RemoteRequest(Record, frozen=True):
    """Where to listen."""

    host: str
    port: int
    openai: bool = False


@router.get("/remote", response_model=RemoteState)
async def state(services: ServicesOf) -> Response:
    return reply(_listener(services).state())


@router.post("/remote", response_model=RemoteState)
async def start(services: ServicesOf, wanted: Sent[RemoteRequest]) -> Response:
    return reply(await _listener(services).start(wanted.host, wanted.port, openai=wanted.openai))


@router.delete("/remote", response_model=RemoteState)
async def stop(services: ServicesOf) -> Response:
    return reply(await _listener(services).stop())


def _listener(services: Services) -> RemoteListener:
    if services.remote is None:
        raise UnavailableError("this server cannot serve other machines")
    return services.remote
