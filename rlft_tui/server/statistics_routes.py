"""What the verdicts tell about labellers and models; see also /labels/stats and /models/ratings."""

from __future__ import annotations

import duckdb
from fastapi import APIRouter
from fastapi.responses import Response
from msgspec.structs import replace

from rlft_tui.evaluations.ratings_table import records
from rlft_tui.evaluations.stopping_rule import Separation, separations
from rlft_tui.labels import agreement_table, bias_table, pace_table
from rlft_tui.labels.agreement import Agreement
from rlft_tui.labels.bias import Bias
from rlft_tui.labels.pace import Pace
from rlft_tui.server.replies import reply
from rlft_tui.server.services import ServicesOf

router = APIRouter(prefix="/statistics")


@router.get("/pace", response_model=Pace)
def pace(services: ServicesOf, labeler: str = "") -> Response:
    found = services.statistics.answer("pace", labeler, lambda db: pace_table.pace(db, labeler))
    if labeler:
        progress = services.labels.progress(labeler)
        found = replace(
            found,
            recent_per_hour=progress.per_hour,
            remaining=progress.remaining,
            seconds_left=progress.seconds_left,
        )
    return reply(found)


@router.get("/bias", response_model=Bias)
def bias(services: ServicesOf, labeler: str = "") -> Response:
    return reply(services.statistics.answer("bias", labeler, lambda db: bias_table.bias(db, labeler)))


@router.get("/agreement", response_model=Agreement)
def agreement(services: ServicesOf, labeler: str = "") -> Response:
    return reply(
        services.statistics.answer("agreement", labeler, lambda db: agreement_table.agreement(db, labeler))
    )


@router.get("/separations", response_model=list[Separation])
def model_separations(services: ServicesOf) -> Response:
    return reply(services.statistics.answer("separations", "", separations_now))


def separations_now(connection: duckdb.DuckDBPyConnection) -> tuple[Separation, ...]:
    """How far each two models are told apart."""
    return separations(records(connection))
