"""Models written out for other programs."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.models.exports import Export
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server.model_exports import ExportRequest, exports, start_export
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import ServicesOf

router = APIRouter()


@router.get("/exports", response_model=list[Export])
def list_exports(services: ServicesOf) -> Response:
    """Newest first."""
    return reply(exports(services))


@router.post("/exports", response_model=RunSummary)
def start(services: ServicesOf, asked: Sent[ExportRequest]) -> Response:
    """Starts a run that writes the model and proves that it answers like the original."""
    return reply(start_export(services, asked))
