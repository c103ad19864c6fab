"""What the machine of the server, which is that of the jobs, can run."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.runs.machine import Machine, look_at_machine
from rlft_tui.server.replies import reply

router = APIRouter()


@router.get("/machine", response_model=Machine)
def machine() -> Response:
    return reply(look_at_machine())
