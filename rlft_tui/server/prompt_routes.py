"""Prompts: import and list."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.prompts.import_prompts import import_prompts
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.prompts.prompts_table import prompts_page
from rlft_tui.server.answers import Page
from rlft_tui.server.paging import Offset, PageLimit
from rlft_tui.server.replies import reply
from rlft_tui.server.services import ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()


@router.post("/prompts/import", response_model=ImportReport)
def import_file(services: ServicesOf, upload: Upload, name: str) -> Response:
    """The body is the file, ``name`` tells its format by its ending."""
    with services.database.write(checkpoint=True) as connection:
        report = import_prompts(connection, name, upload, now=time.time())
    return reply(report)


@router.get("/prompts", response_model=Page)
def list_prompts(
    services: ServicesOf,
    offset: Offset = 0,
    limit: PageLimit = 100,
    search: str = "",
    category: str = "",
) -> Response:
    with services.database.reader() as connection:
        total, prompts = prompts_page(
            connection, offset=offset, limit=limit, search=search, category=category
        )
    return reply(Page(total, prompts=prompts))
