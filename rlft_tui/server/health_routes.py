"""Who the server is, and its end."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.server.answers import Health
from rlft_tui.server.replies import reply
from rlft_tui.server.services import Services, ServicesOf
from rlft_tui.version import VERSION

router = APIRouter()


def active_runs(services: Services) -> int:
    """How many runs are really going: keeper or job lives."""
    return len(services.supervisor.active_runs())


@router.get("/health", response_model=Health)
def health(services: ServicesOf) -> Response:
    services.guard.check()
    return reply(
        Health(
            pid=os.getpid(),
            version=VERSION,
            socket=services.socket,
            workspace=str(services.workspace.root),
            started=services.started,
            warnings=tuple(services.warnings),
            active_runs=active_runs(services),
        )
    )


@router.post("/shutdown")
def shutdown(services: ServicesOf) -> dict[str, Any]:
    services.end("asked to")
    return {"ending": True}
