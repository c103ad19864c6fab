"""Chat completions as OpenAI defines them, and as Ollama, vLLM and llama.cpp's server speak them.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import math
from typing import Any

from rlft_tui.providers.chat import ChatAnswer, ChatPiece, ChatRequest, Ended, Token, Usage

ASK = "/chat/completions"
MODELS = "/models"
_ENDS: dict[str, Ended] = {"stop": "eos", "length": "length"}
_RIVALS = 5


def headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def body(request: ChatRequest, model: str, *, stream: bool, newer: bool = False) -> dict[str, Any]:
    """The request. ``newer``: for models that call the most tokens max_completion_tokens."""
    asked: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in request.messages],
        "max_completion_tokens" if newer else "max_tokens": request.max_tokens,
    }
    for name in ("temperature", "top_p", "seed"):
        if (value := getattr(request, name)) is not None:
            asked[name] = value
    if request.top_k:
        asked["top_k"] = request.top_k
    if request.stop:
        asked["stop"] = list(request.stop)
    if request.probabilities:
        asked |= {"logprobs": True, "top_logprobs": _RIVALS}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return {**asked, **request.more}


def answer(said: dict[str, Any]) -> ChatAnswer:
    """A whole answer; KeyError, TypeError and their like where it is none."""
    choice = said["choices"][0]
    text = choice["message"].get("content") or choice["message"].get("refusal") or ""
    if not isinstance(text, str):
        raise TypeError("content")
    ended = _ENDS.get(str(choice.get("finish_reason") or "stop"), "other")
    return ChatAnswer(text, ended, _usage(said) or Usage(), str(said.get("model") or ""), _tokens(choice))


def piece(event: str, said: dict[str, Any]) -> ChatPiece | None:
    """What an event of the stream brings; None for nothing."""
    usage = _usage(said)
    choices = said.get("choices") or []
    if not choices:
        return ChatPiece(usage=usage) if usage else None
    choice = choices[0]
    delta = choice.get("delta") or {}
    text = delta.get("content") or delta.get("refusal") or ""
    reason = choice.get("finish_reason")
    if not isinstance(text, str):
        raise TypeError("content")
    ended = _ENDS.get(str(reason), "other") if reason else None
    # What a model thinks first is no part of its answer, but it shows that the answer is under way.
    thinks = delta.get("reasoning") or delta.get("reasoning_content")
    return ChatPiece(text, ended, usage, _tokens(choice)) if text or ended or usage or thinks else None


def _usage(said: dict[str, Any]) -> Usage | None:
    counted = said.get("usage")
    if not isinstance(counted, dict):
        return None
    return Usage(_count(counted.get("prompt_tokens")), _count(counted.get("completion_tokens")))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _tokens(choice: dict[str, Any]) -> tuple[Token, ...]:
    listed = (choice.get("logprobs") or {}).get("content") or []
    return tuple(
        Token(
            str(one["token"]),
            math.exp(min(0.0, float(one["logprob"]))),
            tuple(
                (str(rival["token"]), math.exp(min(0.0, float(rival["logprob"]))))
                for rival in one.get("top_logprobs") or []
            ),
        )
        for one in listed
    )
