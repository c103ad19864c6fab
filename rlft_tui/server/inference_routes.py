"""Answers of one to four models to a prompt, streamed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from rlft_tui.errors import RlftError
from rlft_tui.server.answers import GenerateRequest, ProviderModel, StreamedText
from rlft_tui.server.inference import Answerer, Inference
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf

router = APIRouter()


@router.post("/inference/generate", response_class=StreamingResponse)
def generate(services: ServicesOf, content: Content) -> Response:
    """One StreamedText a line; hanging up cancels the generation."""
    request = decode(content, GenerateRequest)
    models = services.inference.resolve(request)
    return StreamingResponse(_lines(services.inference, request, models), media_type="application/x-ndjson")


@router.post("/inference/warm-up")
def warm_up(services: ServicesOf, content: Content) -> Response:
    """Load the models of this list of names in the background; answers at once."""
    services.inference.warm_up(decode(content, tuple[str, ...]))
    return reply(services.inference.status())


@router.get("/providers", response_model=list[ProviderModel])
def providers(services: ServicesOf) -> Response:
    """The providers of rlft.toml. None of them is asked anything."""
    return reply(services.inference.providers())


@router.post("/providers/{name}/models", response_model=list[str])
def provider_models(services: ServicesOf, name: str) -> Response:
    """What one provider offers, asked now: with this machine's key, so not for another machine."""
    return reply(services.inference.provider_models(name))


@router.get("/inference")
def status(services: ServicesOf) -> Response:
    state: dict[str, Any] = services.inference.status()
    return reply(state)


async def _lines(
    inference: Inference, request: GenerateRequest, models: list[Answerer]
) -> AsyncIterator[bytes]:
    try:
        async with contextlib.aclosing(inference.generate(request, models)) as pieces:
            async for piece in pieces:
                yield msgspec.json.encode(piece) + b"\n"
    except RlftError as error:
        # The status line is sent already: the error goes where the answer would.
        for side in range(len(models)):
            yield msgspec.json.encode(StreamedText("error", side=side, text=str(error))) + b"\n"
