"""Rankings: sets of answers, the queue, one ranking, undo, history, list."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.labels.import_answers import import_answers
from rlft_tui.labels.preference import Revocation
from rlft_tui.labels.ranking import Ranking, RankingEntry, RankPage, RankProgress
from rlft_tui.labels.rankings_table import list_rankings, ranking_history
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.server.feedback_routes import NextRequest, checked_limit
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()


@router.post("/rankings/queue", response_model=RankPage)
def queue(services: ServicesOf, wanted: NextRequest) -> Response:
    return reply(services.rankings.next(wanted.labeler, checked_limit(wanted), wanted.exclude))


@router.post("/rankings", response_model=RankProgress)
def add(services: ServicesOf, content: Content) -> Response:
    return reply(services.rankings.add(decode(content, Ranking)))


@router.post("/rankings/undo", response_model=RankProgress)
def undo(services: ServicesOf, content: Content) -> Response:
    return reply(services.rankings.undo(decode(content, Revocation)))


@router.post("/rankings/import", response_model=ImportReport)
def import_file(services: ServicesOf, upload: Upload, name: str) -> Response:
    """The body is a JSON Lines file of prompts with three to eight responses each."""
    with services.database.write(checkpoint=True) as connection:
        report = import_answers(connection, name, upload, now=time.time())
    return reply(report)


@router.get("/rankings/history", response_model=list[RankingEntry])
def history(
    services: ServicesOf, labeler: str, limit: Annotated[int, Query(ge=1, le=100_000)] = 100
) -> Response:
    with services.database.reader() as connection:
        return reply(ranking_history(connection, labeler, limit))


@router.get("/rankings", response_model=list[Ranking])
def listing(
    services: ServicesOf,
    labeler: str = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000_000)] = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(list_rankings(connection, labeler, offset, limit))
