"""Pairs and labels streamed out: joined for exports, or as the lossless archive."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from rlft_tui.labels.archive_lines import archive_lines
from rlft_tui.labels.export_table import LabelledPairs
from rlft_tui.server.remote_access import OUTSIDE
from rlft_tui.server.services import Services, ServicesOf

router = APIRouter()
_LINES = "application/x-ndjson"
_BLOCK = 1 << 18
"""Bytes gathered before they are sent: each piece costs a change of thread."""


@router.get("/export/labelled")
def labelled(services: ServicesOf, labeler: str = "") -> StreamingResponse:
    """First an ExportHead, then every LabelledPair, a line each; one snapshot."""
    return StreamingResponse(_gathered(_labelled_lines(services, labeler)), media_type=_LINES)


@router.get("/export/archive")
def archive(services: ServicesOf, request: Request, labeler: str = "") -> StreamingResponse:
    """The archive's lines; one snapshot. Gold answers are kept back from another machine."""
    lines = _archive_lines(services, labeler, gold=not request.scope.get(OUTSIDE))
    return StreamingResponse(_gathered(lines), media_type=_LINES)


def _labelled_lines(services: Services, labeler: str) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    with services.database.reader() as connection:
        found = LabelledPairs(connection, labeler)
        yield encode(found.head) + b"\n"
        for item in found:
            yield encode(item) + b"\n"


def _archive_lines(services: Services, labeler: str, *, gold: bool) -> Iterator[bytes]:
    with services.database.reader() as connection:
        yield from archive_lines(connection, labeler, gold=gold)


def _gathered(lines: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
