"""Verdicts, undo, history and counts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.labels import history_table, labelers_table, preferences_table
from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.label_stats_table import label_stats
from rlft_tui.labels.labeler import Labeler
from rlft_tui.labels.operation_codec import operation_from, plain_history_entry
from rlft_tui.labels.preference import BetterAnswer, HistoryEntry, ListedLabel, Preference, Progress
from rlft_tui.server.paging import HistoryLimit, ListLimit, Offset
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


@router.post("/labels", response_model=Progress)
def add_label(services: ServicesOf, content: Content) -> Response:
    return reply(services.labels.add(operation_from(decode(content, dict[str, Any]))))


@router.get("/labels/history", response_model=list[HistoryEntry])
def history(
    services: ServicesOf,
    labeler: str,
    limit: HistoryLimit = 100,
    offset: Offset = 0,
    search: str = "",
    only: str = "",
) -> Response:
    with services.database.reader() as connection:
        entries = history_table.list_history(
            connection, labeler, limit, offset=offset, search=search, only=only
        )
    return reply([plain_history_entry(entry) for entry in entries])


@router.get("/labels/labelers", response_model=list[Labeler])
def labelers(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(labelers_table.list_labelers(connection))


@router.get("/labels/written", response_model=list[BetterAnswer])
def written(
    services: ServicesOf,
    labeler: str = "",
    offset: Offset = 0,
    limit: ListLimit = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(history_table.list_written(connection, labeler, offset, limit))


@router.get("/labels", response_model=list[Preference])
def labels(
    services: ServicesOf,
    labeler: str = "",
    offset: Offset = 0,
    limit: ListLimit = 1000,
) -> Response:
    with services.database.reader() as connection:
        return reply(preferences_table.list_current(connection, labeler, offset, limit))


@router.get("/labels/listed", response_model=list[ListedLabel])
def listed(
    services: ServicesOf,
    labeler: str = "",
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=0, le=10_000)] = 100,
) -> Response:
    with services.database.reader() as connection:
        return reply(history_table.list_labels(connection, labeler, offset, limit))


@router.get("/labels/stats", response_model=LabelStats)
def stats(services: ServicesOf, labeler: str = "") -> Response:
    return reply(services.statistics.answer("labels", labeler, lambda db: label_stats(db, labeler)))
