"""Scores: the queue of answers, one score, undo, history, list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.errors import RlftError
from rlft_tui.labels.feedback import Feedback, FeedbackEntry, FeedbackProgress, ScorePage
from rlft_tui.labels.feedback_table import feedback_history, list_feedback
from rlft_tui.labels.preference import Revocation
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()
_MOST = 200


@dataclass(frozen=True, slots=True)
class NextRequest:
    """Whose queue, how many of it, and which the client has already."""

    labeler: str
    limit: int = 5
    exclude: tuple[str, ...] = ()


def checked_limit(wanted: NextRequest) -> int:
    """How many to send; RlftError without a labeller."""
    if not wanted.labeler:
        raise RlftError("a queue needs a labeler")
    return max(0, min(wanted.limit, _MOST))


@router.post("/feedback/queue", response_model=ScorePage)
def queue(services: ServicesOf, wanted: NextRequest) -> Response:
    return reply(services.scores.next(wanted.labeler, checked_limit(wanted), wanted.exclude))


@router.post("/feedback", response_model=FeedbackProgress)
def add(services: ServicesOf, content: Content) -> Response:
    return reply(services.scores.add(decode(content, Feedback)))


@router.post("/feedback/undo", response_model=FeedbackProgress)
def undo(services: ServicesOf, content: Content) -> Response:
    return reply(services.scores.undo(decode(content, Revocation)))


@router.get("/feedback/history", response_model=list[FeedbackEntry])
def history(
    services: ServicesOf, labeler: str, limit: Annotated[int, Query(ge=1, le=100_000)] = 100
) -> Response:
    with services.database.reader() as connection:
        return reply(feedback_history(connection, labeler, limit))


@router.get("/feedback", response_model=list[Feedback])
def listing(
    services: ServicesOf,
    labeler: str = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000_000)] = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(list_feedback(connection, labeler, offset, limit))
