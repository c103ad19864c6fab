"""Answers of one or two models to a prompt, streamed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from rlft_tui.errors import RlftError
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.server.answers import GenerateRequest, StreamedText
from rlft_tui.server.inference import Inference
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


@router.post("/inference/generate", response_class=StreamingResponse)
def generate(services: ServicesOf, content: Content) -> Response:
    """One StreamedText a line; hanging up cancels the generation."""
    request = decode(content, GenerateRequest)
    models = services.inference.resolve(request)
    return StreamingResponse(_lines(services.inference, request, models), media_type="application/x-ndjson")


@router.get("/inference")
def status(services: ServicesOf) -> Response:
    state: dict[str, Any] = services.inference.status()
    return reply(state)


async def _lines(
    inference: Inference, request: GenerateRequest, models: list[ModelSource]
) -> AsyncIterator[bytes]:
    try:
        async with contextlib.aclosing(inference.generate(request, models)) as pieces:
            async for piece in pieces:
                yield msgspec.json.encode(piece) + b"\n"
    except RlftError as error:
        # The status line is sent already: the error goes where the answer would.
        for side in range(len(models)):
            yield msgspec.json.encode(StreamedText("error", side=side, text=str(error))) + b"\n"
