"""Response pairs: import, add, list, show."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.pairs import pairs_table
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.server.answers import Page
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


@router.post("/pairs")
def add_pairs(services: ServicesOf, content: Content) -> dict[str, int]:
    pairs = decode(content, list[ResponsePair])
    with services.database.write() as connection:
        added = pairs_table.add_pairs(connection, pairs)
    if added:
        services.labels.pairs_changed()
    return {"added": added}


@router.get("/pairs", response_model=Page)
def list_pairs(
    services: ServicesOf,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=0, le=100_000)] = 100,
    search: str = "",
    category: str = "",
) -> Response:
    with services.database.reader() as connection:
        total, pairs = pairs_table.pairs_page(
            connection, offset=offset, limit=limit, search=search, category=category
        )
    return reply(Page(total, pairs=pairs))


@router.get("/pairs/{pair_id}", response_model=ResponsePair)
def show_pair(services: ServicesOf, pair_id: str) -> Response:
    with services.database.reader() as connection:
        return reply(pairs_table.pair_by_id(connection, pair_id))
