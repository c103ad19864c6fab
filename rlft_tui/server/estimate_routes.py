"""What a run will take, and what it took."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from rlft_tui.runs.estimate import Outcome, outcome
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.server.dry_runs import DryRuns
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


@router.post("/dry-runs", response_class=StreamingResponse)
def dry_run(services: ServicesOf, content: Content) -> Response:
    """JSON lines: stages, then the estimate or an error; hanging up ends it."""
    folder = services.dry_runs.prepare(decode(content, dict[str, Any]))
    return StreamingResponse(_lines(services.dry_runs, folder), media_type="application/x-ndjson")


@router.get("/runs/{run_id}/estimate", response_model=Outcome | None)
def estimate(services: ServicesOf, run_id: str) -> Response:
    """Estimate versus actual; null for a run that was launched without a dry run."""
    summary = services.supervisor.summary(run_id)
    return reply(outcome(services.supervisor.folder(run_id), summary))


async def _lines(dry_runs: DryRuns, folder: RunFolder) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(dry_runs.lines(folder)) as lines:
        async for line in lines:
            yield line
