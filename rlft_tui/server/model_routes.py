"""Models and their ratings."""

from __future__ import annotations

import time
from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.evaluations.win_rate import ratings
from rlft_tui.models import models_table
from rlft_tui.models.model import Model, Rating
from rlft_tui.server.replies import reply
from rlft_tui.server.services import ServicesOf

router = APIRouter()


@router.get("/models", response_model=list[Model])
def list_models(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(models_table.list_models(connection))


@router.post("/models", response_model=Model)
def add_model(services: ServicesOf, model: Model) -> Response:
    dated = model if model.created_at > 0 else replace(model, created_at=time.time())
    with services.database.write(checkpoint=True) as connection:
        return reply(models_table.add_model(connection, dated))


@router.get("/models/ratings", response_model=list[Rating])
def list_ratings(services: ServicesOf, against: str = "") -> Response:
    return reply(services.statistics.answer("ratings", against, lambda db: ratings(db, against=against)))
