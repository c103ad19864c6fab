"""Chat completions in OpenAI's shapes: what is asked, what is answered, how one is refused.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.record import Record
from rlft_tui.server.answers import MOST_SIDES, AskedSide, GenerateRequest, TokenProbability

MOST_TOKENS = 8192
_DEFAULT_TOKENS = 1024
_MOST_RIVALS = 5
_ENDS = {"eos": "stop", "stop": "stop", "length": "length"}
_UNSUPPORTED = ("tools", "functions", "audio", "modalities", "prediction", "web_search_options")
"""What would change the answer and is not done here: refused, not ignored."""


class AskedBody(msgspec.Struct):
    """The body of a request. What it does not name, such as ``user``, changes nothing here."""

    model: str
    messages: list[dict[str, Any]]
    temperature: float | None = None
    top_p: float | None = None
    top_k: int = 0
    repetition_penalty: float = 1.0
    """This and ``top_k`` as vLLM takes them."""
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    response_format: dict[str, Any] | None = None


class Asked(Record, frozen=True):
    """A request as it is answered."""

    request: GenerateRequest
    model: str
    stream: bool
    with_usage: bool
    """Whether the stream ends with the usage."""
    rivals: int | None
    """Likeliest tokens told with each; None without probabilities."""


class BadRequest(RlftError):
    """A part of the request that is not done, by its name."""

    def __init__(self, what: str, param: str) -> None:
        super().__init__(what)
        self.param = param


def read_request(content: bytes) -> Asked:
    """The body as a request of ours; BadRequest for what cannot be answered as it is meant."""
    try:
        values = msgspec.json.decode(content)
        body = msgspec.convert(values, AskedBody)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"not a chat completion request: {error}", "") from None
    for name in _UNSUPPORTED:
        if values.get(name):
            raise BadRequest(f"{name} is not supported", name)
    for name in ("frequency_penalty", "presence_penalty"):
        if getattr(body, name):
            raise BadRequest(f"{name} is not supported; repetition_penalty is", name)
    if body.response_format and body.response_format.get("type", "text") != "text":
        raise BadRequest("only text is written", "response_format")
    sides = 1 if body.n is None else body.n
    if not 1 <= sides <= MOST_SIDES:
        raise BadRequest(f"n must lie between 1 and {MOST_SIDES}", "n")
    rivals = body.top_logprobs or 0
    if not 0 <= rivals <= _MOST_RIVALS:
        raise BadRequest(f"top_logprobs must lie between 0 and {_MOST_RIVALS}", "top_logprobs")
    turns = [_turn(turn, f"messages[{place}]") for place, turn in enumerate(body.messages)]
    if not turns or turns[-1]["role"] != "user":
        raise BadRequest("the last message must be the user's", "messages")
    wanted = body.max_completion_tokens or body.max_tokens or _DEFAULT_TOKENS
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    side = AskedSide(body.model, top_k=body.top_k, repetition_penalty=body.repetition_penalty)
    request = GenerateRequest(
        turns[-1]["content"],
        context=tuple(turns[:-1]),
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        max_new_tokens=min(wanted, MOST_TOKENS),
        seed=secrets.randbits(31) if body.seed is None else body.seed,
        sides=(side,) * sides,
        stop=tuple(stop),
        probabilities=bool(body.logprobs),
    )
    options = body.stream_options or {}
    return Asked(
        request,
        body.model,
        bool(body.stream),
        bool(options.get("include_usage")),
        rivals if body.logprobs else None,
    )


def _turn(turn: dict[str, Any], where: str) -> dict[str, str]:
    role, content = turn.get("role"), turn.get("content")
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant"):
        raise BadRequest(f"{where}: role must be system, user or assistant", "messages")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        if not all(isinstance(part, str) for part in parts):
            raise BadRequest(f"{where}: only text is read", "messages")
        content = "".join(str(part) for part in parts)
    if not isinstance(content, str):
        raise BadRequest(f"{where}: content must be text", "messages")
    return {"role": role, "content": content}


def whole(
    identity: str, created: int, asked: Asked, choices: Sequence[dict[str, Any]], usage: dict[str, int]
) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": identity,
        "object": "chat.completion",
        "created": created,
        "model": asked.model,
        "choices": list(choices),
        "usage": usage,
    }


def choice(
    side: int, text: str, ended: str, tokens: Sequence[TokenProbability], rivals: int | None
) -> dict[str, Any]:
    return {
        "index": side,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "finish_reason": _ENDS.get(ended, "stop"),
        "logprobs": logprobs(tokens, rivals),
    }


def chunk(
    identity: str,
    created: int,
    asked: Asked,
    side: int,
    delta: dict[str, Any],
    *,
    ended: str = "",
    tokens: Sequence[TokenProbability] = (),
) -> dict[str, Any]:
    """A piece of a streamed answer."""
    return {
        "id": identity,
        "object": "chat.completion.chunk",
        "created": created,
        "model": asked.model,
        "choices": [
            {
                "index": side,
                "delta": delta,
                "finish_reason": _ENDS.get(ended, "stop") if ended else None,
                "logprobs": logprobs(tokens, asked.rivals) if tokens else None,
            }
        ],
        **({"usage": None} if asked.with_usage else {}),
    }


def logprobs(tokens: Sequence[TokenProbability], rivals: int | None) -> dict[str, Any] | None:
    if rivals is None:
        return None
    return {
        "content": [
            {
                **_logprob(token.text, token.probability),
                "top_logprobs": [_logprob(text, held) for text, held in token.top[:rivals]],
            }
            for token in tokens
        ],
        "refusal": None,
    }


def _logprob(text: str, probability: float) -> dict[str, Any]:
    return {
        "token": text,
        "logprob": math.log(max(probability, 1e-45)),
        "bytes": list(text.encode("utf-8", "replace")),
    }


def usage(prompt_tokens: int, answer_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": answer_tokens,
        "total_tokens": prompt_tokens + answer_tokens,
    }


def error_body(
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
) -> dict[str, Any]:
    """What every refusal holds, whichever layer of the server it comes from."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refusal(error: RlftError) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error."""
    status, kind, code = 400, "invalid_request_error", None
    if isinstance(error, NotFoundError):
        status, code = 404, "model_not_found"
    elif isinstance(error, ConflictError):
        status = 409
    elif isinstance(error, UnavailableError):
        status, kind = 503, "server_error"
    param = error.param if isinstance(error, BadRequest) else "model" if status == 404 else None
    return status, error_body(str(error), kind=kind, param=param or None, code=code)
