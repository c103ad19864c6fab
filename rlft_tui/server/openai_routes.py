"""Registered models behind OpenAI's chat completions: /v1/models and /v1/chat/completions."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from msgspec.structs import replace

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.models import models_table
from rlft_tui.models.model import Model
from rlft_tui.server import openai_shapes as shapes
from rlft_tui.server.answers import StreamedText, TokenProbability
from rlft_tui.server.inference import Answerer, Inference
from rlft_tui.server.replies import reply
from rlft_tui.server.services import Content, Services, ServicesOf

router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/models")
def list_models(services: ServicesOf) -> Response:
    """What can be asked: each registered model that writes text, and each policy by its name."""
    return reply({"object": "list", "data": [_listed(*one) for one in _named(services).items()]})


@router.get("/models/{name:path}")
def show_model(services: ServicesOf, name: str) -> Response:
    """One of them."""
    try:
        return reply(_listed(name, _wanted(services, name)))
    except RlftError as error:
        return _refused(error)


@router.post("/chat/completions")
async def complete(services: ServicesOf, request: Request, content: Content) -> Response:
    """Answer a conversation, whole or streamed; hanging up cancels it."""
    try:
        asked = shapes.read_request(content)
        answerers = await run_in_threadpool(_answerers, services, asked)
        if not asked.stream:
            return await _whole(services.inference, request, asked, answerers)
    except RlftError as error:
        return _refused(error)
    return StreamingResponse(_events(services.inference, asked, answerers), media_type="text/event-stream")


def _named(services: Services) -> dict[str, Model]:
    with services.database.reader() as connection:
        models = [model for model in models_table.list_models(connection) if model.kind != "reward"]
    policies = {model.current_of: model for model in models if model.current_of}
    return policies | {model.name: model for model in models}


def _wanted(services: Services, name: str) -> Model:
    """No folder, hub id or provider: whoever comes through the door asks what is registered."""
    found = _named(services).get(name)
    if found is None:
        raise NotFoundError(f"no model called {name!r}", remedy="GET /v1/models lists them")
    return found


def _answerers(services: Services, asked: shapes.Asked) -> list[Answerer]:
    model = _wanted(services, asked.model)
    sides = tuple(replace(side, model=model.name) for side in asked.request.sides)
    return services.inference.resolve(replace(asked.request, sides=sides))


def _listed(name: str, model: Model) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(model.created_at), "owned_by": "rlft"}


def _refused(error: RlftError) -> Response:
    status, body = shapes.refusal(error)
    return reply(body, status)


async def _whole(
    inference: Inference, request: Request, asked: shapes.Asked, answerers: list[Answerer]
) -> Response:
    count = len(answerers)
    texts: list[list[str]] = [[] for _ in range(count)]
    tokens: list[list[TokenProbability]] = [[] for _ in range(count)]
    ended = [""] * count
    counted = [0] * count
    prompt_tokens = 0
    async with contextlib.aclosing(inference.generate(asked.request, answerers)) as pieces:
        async for piece in pieces:
            _raise_error(piece)
            texts[piece.side].append(piece.text if piece.kind == "text" else "")
            tokens[piece.side] += piece.probabilities
            if piece.kind == "done":
                ended[piece.side], counted[piece.side] = piece.ended, piece.tokens
                prompt_tokens = piece.prompt_tokens
            if await request.is_disconnected():
                return Response(status_code=499)
    choices = [
        shapes.choice(side, "".join(texts[side]), ended[side], tokens[side], asked.rivals)
        for side in range(count)
    ]
    used = shapes.usage(prompt_tokens, sum(counted))
    return reply(shapes.whole(_identity(), int(time.time()), asked, choices, used))


async def _events(
    inference: Inference, asked: shapes.Asked, answerers: list[Answerer]
) -> AsyncIterator[bytes]:
    identity, created = _identity(), int(time.time())
    counted = prompt_tokens = 0
    try:
        for side in range(len(answerers)):
            delta = {"role": "assistant", "content": ""}
            yield _event(shapes.chunk(identity, created, asked, side, delta))
        async with contextlib.aclosing(inference.generate(asked.request, answerers)) as pieces:
            async for piece in pieces:
                _raise_error(piece)
                if piece.kind == "text":
                    delta = {"content": piece.text}
                    yield _event(
                        shapes.chunk(identity, created, asked, piece.side, delta, tokens=piece.probabilities)
                    )
                elif piece.kind == "done":
                    counted += piece.tokens
                    prompt_tokens = piece.prompt_tokens
                    yield _event(
                        shapes.chunk(identity, created, asked, piece.side, {}, ended=piece.ended or "eos")
                    )
        if asked.with_usage:
            last = shapes.whole(identity, created, asked, [], shapes.usage(prompt_tokens, counted))
            yield _event({**last, "object": "chat.completion.chunk"})
    except RlftError as error:
        # The status line is sent already: the error goes where the answer would.
        yield _event(shapes.refusal(error)[1])
    yield b"data: [DONE]\n\n"


def _raise_error(piece: StreamedText) -> None:
    if piece.kind == "error":
        raise UnavailableError(piece.text) if piece.restarts else RlftError(piece.text)


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _identity() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"
