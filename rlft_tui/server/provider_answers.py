"""Sides of a request that a provider answers, in the pieces the worker's sides come in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Literal

from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Message, conversation
from rlft_tui.providers.chat import ChatRequest, Ended, Token
from rlft_tui.server.answers import AskedSide, GenerateRequest, StreamedText, TokenProbability

if TYPE_CHECKING:
    from rlft_tui.providers.provider import Provider

PIECE_SECONDS = 0.05


def messages_of(request: GenerateRequest, system: str | None) -> list[dict[str, str]]:
    """The conversation, with a side's system prompt in place of one that begins it."""
    turns = tuple(Message(turn["role"], turn["content"]) for turn in request.context)  # type: ignore[arg-type]
    if system:
        others = turns[1:] if turns and turns[0].role == "system" else turns
        turns = (Message("system", system), *others)
    return conversation(request.prompt, turns)


async def provider_side(
    provider: Provider, side: AskedSide, number: int, request: GenerateRequest
) -> AsyncGenerator[StreamedText, None]:
    """The side's pieces, at most 20 a second; the last is ``done`` or ``error``."""
    asked = ChatRequest(
        messages_of(request, side.system),
        temperature=side.temperature,
        top_p=side.top_p,
        top_k=side.top_k,
        max_tokens=side.max_new_tokens or 1,
        seed=side.seed,
        stop=request.stop,
        probabilities=request.probabilities,
        # vLLM and llama.cpp's server take it; one that does not says so.
        more={} if side.repetition_penalty == 1 else {"repetition_penalty": side.repetition_penalty},
    )
    began = time.monotonic()
    counted = 0
    prompt_tokens = 0
    first: float | None = None
    ended: Ended = "eos"
    text: list[str] = []
    tokens: list[Token] = []
    sent_at = 0.0

    def rate() -> float:
        return counted / max(1e-6, time.monotonic() - began)

    def piece() -> StreamedText:
        whole = StreamedText("text", number, "".join(text), counted, rate(), _held(tokens))
        text.clear()
        tokens.clear()
        return whole

    try:
        async with contextlib.aclosing(provider.stream(asked)) as pieces:
            async for got in pieces:
                if got.text:
                    first = time.monotonic() - began if first is None else first
                    counted += max(1, len(got.tokens))
                    text.append(got.text)
                    tokens += got.tokens
                if got.usage is not None:
                    counted = got.usage.answer_tokens or counted
                    prompt_tokens = got.usage.prompt_tokens or prompt_tokens
                ended = got.ended or ended
                if text and time.monotonic() - sent_at >= PIECE_SECONDS:
                    sent_at = time.monotonic()
                    yield piece()
        if text:
            yield piece()
    except RlftError as error:
        if text:
            yield piece()
        yield StreamedText("error", number, str(error))
        return
    yield StreamedText(
        "done",
        number,
        tokens=counted,
        tokens_per_second=rate(),
        ended=_ended(ended),
        prompt_tokens=prompt_tokens,
        seconds_to_first=first,
    )


def _held(tokens: Sequence[Token]) -> tuple[TokenProbability, ...]:
    return tuple(TokenProbability(token.text, token.probability, token.top) for token in tokens)


def _ended(ended: Ended) -> Literal["eos", "length", "stop"]:
    return "eos" if ended == "other" else ended
