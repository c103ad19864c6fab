"""Response pairs: import, add, list, show."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.labels.imported_labels import ImportedLabels
from rlft_tui.pairs import pairs_table
from rlft_tui.pairs.formats.registry import AUTO
from rlft_tui.pairs.import_pairs import import_pairs
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.server.answers import Page
from rlft_tui.server.paging import Offset, PageLimit
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()


@router.post("/pairs")
def add_pairs(services: ServicesOf, content: Content) -> dict[str, int]:
    pairs = decode(content, list[ResponsePair])
    with services.database.write(checkpoint=True) as connection:
        added = pairs_table.add_pairs(connection, pairs)
    if added:
        services.labels.pairs_changed()
    return {"added": added}


@router.post("/pairs/import", response_model=ImportReport)
def import_file(services: ServicesOf, upload: Upload, name: str, labeler: str, form: str = AUTO) -> Response:
    """The body is the file, ``name`` tells by its ending how it is encoded, ``form`` what its rows mean.

    Verdicts that come with rows are stored in the same step, under the annotator that a
    row names or else under ``labeler``.
    """
    with services.labels.import_transaction() as writing:
        sink = ImportedLabels(writing, labeler=labeler, name=name)
        found = import_pairs(writing.connection, name, upload, now=time.time(), form=form, sink=sink)
    services.database.checkpoint()
    return reply(found.report)


@router.get("/pairs", response_model=Page)
def list_pairs(
    services: ServicesOf,
    offset: Offset = 0,
    limit: PageLimit = 100,
    search: str = "",
    category: str = "",
) -> Response:
    with services.database.reader() as connection:
        total, pairs = pairs_table.pairs_page(
            connection, offset=offset, limit=limit, search=search, category=category
        )
    return reply(Page(total, pairs=pairs))


@router.get("/pairs/{pair_id:path}", response_model=ResponsePair)
def show_pair(services: ServicesOf, pair_id: str) -> Response:
    with services.database.reader() as connection:
        return reply(pairs_table.pair_by_id(connection, pair_id))
