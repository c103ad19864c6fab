"""Scores: the queue of answers, one score, undo, history, list."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.labels.feedback import Feedback, FeedbackEntry, FeedbackProgress, ScorePage
from rlft_tui.labels.feedback_table import feedback_history, list_feedback
from rlft_tui.labels.preference import Revocation
from rlft_tui.server.paging import HistoryLimit, ListLimit, NextRequest, Offset
from rlft_tui.server.replies import Sent, decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


@router.post("/feedback/queue", response_model=ScorePage)
def queue(services: ServicesOf, wanted: Sent[NextRequest]) -> Response:
    return reply(services.scores.next(wanted.labeler, wanted.checked_limit(), wanted.exclude))


@router.post("/feedback", response_model=FeedbackProgress)
def add(services: ServicesOf, content: Content) -> Response:
    return reply(services.scores.add(decode(content, Feedback)))


@router.post("/feedback/undo", response_model=FeedbackProgress)
def undo(services: ServicesOf, content: Content) -> Response:
    return reply(services.scores.undo(decode(content, Revocation)))


@router.get("/feedback/history", response_model=list[FeedbackEntry])
def history(services: ServicesOf, labeler: str, limit: HistoryLimit = 100) -> Response:
    with services.database.reader() as connection:
        return reply(feedback_history(connection, labeler, limit))


@router.get("/feedback", response_model=list[Feedback])
def listing(
    services: ServicesOf,
    labeler: str = "",
    offset: Offset = 0,
    limit: ListLimit = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(list_feedback(connection, labeler, offset, limit))
