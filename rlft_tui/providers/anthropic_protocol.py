"""Anthropic's messages. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from typing import Any

from rlft_tui.providers.chat import ChatAnswer, ChatPiece, ChatRequest, Ended, ProviderError, Usage

ASK = "/v1/messages"
MODELS = "/v1/models"
_VERSION = "2023-06-01"
_ENDS: dict[str, Ended] = {"end_turn": "eos", "max_tokens": "length", "stop_sequence": "stop"}


def headers(key: str) -> dict[str, str]:
    return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}


def body(request: ChatRequest, model: str, *, stream: bool, newer: bool = False) -> dict[str, Any]:
    """The request; the system prompt stands beside the turns. It knows no seed and no probabilities."""
    system = "\n\n".join(m["content"] for m in request.messages if m["role"] == "system")
    asked: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in request.messages if message["role"] != "system"],
        "max_tokens": request.max_tokens,
    }
    if system:
        asked["system"] = system
    if request.temperature is not None:
        asked["temperature"] = request.temperature
    # Some models refuse a temperature and a nucleus at once: 1 is none.
    if request.top_p is not None and request.top_p < 1:
        asked["top_p"] = request.top_p
    if request.top_k:
        asked["top_k"] = request.top_k
    if request.stop:
        asked["stop_sequences"] = list(request.stop)
    if stream:
        asked["stream"] = True
    return {**asked, **request.more}


def answer(said: dict[str, Any]) -> ChatAnswer:
    """A whole answer; KeyError, TypeError and their like where it is none."""
    text = "".join(block["text"] for block in said["content"] if block["type"] == "text")
    ended = _ENDS.get(str(said.get("stop_reason") or "end_turn"), "other")
    return ChatAnswer(text, ended, _usage(said) or Usage(), str(said.get("model") or ""))


def piece(event: str, said: dict[str, Any]) -> ChatPiece | None:
    """What an event of the stream brings; None for nothing. ProviderError for an ``error`` event."""
    kind = said.get("type", event)
    if kind == "error":
        failed = said.get("error") or {}
        busy = failed.get("type") in ("overloaded_error", "rate_limit_error", "api_error")
        raise ProviderError(str(failed.get("message") or "an error"), retryable=busy)
    if kind == "message_start":
        usage = _usage(said["message"])
        return ChatPiece(usage=Usage(usage.prompt_tokens)) if usage else None
    if kind == "content_block_delta" and said["delta"].get("type") == "text_delta":
        return ChatPiece(str(said["delta"]["text"]))
    if kind == "message_delta":
        reason = said["delta"].get("stop_reason")
        return ChatPiece(ended=_ENDS.get(str(reason), "other") if reason else None, usage=_usage(said))
    return None


def _usage(said: dict[str, Any]) -> Usage | None:
    counted = said.get("usage")
    if not isinstance(counted, dict):
        return None
    read, written = counted.get("input_tokens"), counted.get("output_tokens")
    return Usage(read if isinstance(read, int) else None, written if isinstance(written, int) else None)
