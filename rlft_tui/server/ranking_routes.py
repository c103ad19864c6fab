"""Rankings: sets of answers, the queue, one ranking, undo, history, list."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.labels.import_answers import import_answers
from rlft_tui.labels.preference import Revocation
from rlft_tui.labels.ranking import Ranking, RankingEntry, RankPage, RankProgress
from rlft_tui.labels.rankings_table import list_rankings, ranking_history
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.server.paging import HistoryLimit, ListLimit, NextRequest, Offset
from rlft_tui.server.replies import Sent, decode, reply
from rlft_tui.server.services import Content, ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()


@router.post("/rankings/queue", response_model=RankPage)
def queue(services: ServicesOf, wanted: Sent[NextRequest]) -> Response:
    return reply(services.rankings.next(wanted.labeler, wanted.checked_limit(), wanted.exclude))


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
def history(services: ServicesOf, labeler: str, limit: HistoryLimit = 100) -> Response:
    with services.database.reader() as connection:
        return reply(ranking_history(connection, labeler, limit))


@router.get("/rankings", response_model=list[Ranking])
def listing(
    services: ServicesOf,
    labeler: str = "",
    offset: Offset = 0,
    limit: ListLimit = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(list_rankings(connection, labeler, offset, limit))
