"""Models, their ratings, and the scores a reward model gives."""

from __future__ import annotations

import json
import time

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec.structs import replace

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.ratings_table import HUMAN
from rlft_tui.evaluations.win_rate import ratings
from rlft_tui.models import models_table
from rlft_tui.models.model import Model, Rating, check_new_name
from rlft_tui.models.same_base import is_moved_base
from rlft_tui.record import Record
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import ServicesOf
from rlft_tui.server.short_job import answer_of

router = APIRouter()


class ToScore(Record, frozen=True):
    """Answers for a reward model."""

    model: str
    """Its name."""
    conversations: list[list[dict[str, str]]]
    """Messages with role and content, the answer last."""


@router.get("/models", response_model=list[Model])
def list_models(services: ServicesOf) -> Response:
    with services.database.reader() as connection:
        return reply(models_table.list_models(connection))


@router.post("/models", response_model=Model)
def add_model(services: ServicesOf, model: Sent[Model]) -> Response:
    check_new_name(model.name)
    dated = model if model.created_at > 0 else replace(model, created_at=time.time())
    with services.database.reader() as connection:
        known = [one for one in models_table.list_models(connection) if one.name == model.name]
    moved = any(is_moved_base(one, model) for one in known)
    with services.database.write(checkpoint=True) as connection:
        if moved:
            models_table.move_base(connection, model.name, model.path)
        return reply(models_table.add_model(connection, dated))


@router.post("/models/score", response_model=list[float])
def score(services: ServicesOf, asked: Sent[ToScore]) -> Response:
    """The reward model's score of each conversation's last answer."""
    with services.database.reader() as connection:
        known = models_table.model_by_name(connection, asked.model)
        if known.kind != "reward":
            raise RlftError(
                f"{known.name} is no reward model: it gives no scores", remedy="Train one: rlft train reward"
            )
        source = resolve_model(connection, asked.model, reward=True)
    lines = "".join(json.dumps(one) + "\n" for one in asked.conversations)
    printed = answer_of("score", source.adapter or source.path, source.path, stdin=lines)
    return reply([float(line) for line in printed.split()])


@router.get("/models/ratings", response_model=list[Rating])
def list_ratings(services: ServicesOf, against: str = "", by: str = HUMAN) -> Response:
    """``by``: human, judge, all, or one labeller's name."""
    about = f"{by}\x1f{against}"
    return reply(services.statistics.answer("ratings", about, lambda db: ratings(db, against=against, by=by)))
