"""Providers against a local server that speaks their protocols: answers, failures, keys."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
from msgspec.structs import replace

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.providers import retry
from rlft_tui.providers.chat import ChatPiece, ChatRequest, ProviderError, Usage
from rlft_tui.providers.provider import Provider, open_provider
from rlft_tui.providers.retry import Attempts, retry_after
from rlft_tui.providers.server_events import EventReader
from rlft_tui.providers.settings import ProviderSettings
from tests.providers.provider_server import KEY, Log, provider_server

Kind = Literal["openai", "anthropic"]
KINDS: tuple[Kind, ...] = ("openai", "anthropic")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Log]]:
    with provider_server() as started:
        yield started


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("TEST_KEY", KEY)


def provider(served: tuple[str, Log], kind: Kind, *, seconds: float = 30.0, attempts: int = 4) -> Provider:
    url = served[0] + ("/v1" if kind == "openai" else "")
    settings = ProviderSettings(kind, url, "words", "TEST_KEY", timeout_seconds=seconds)
    return open_provider({"far": settings}, "far", attempts=attempts)


def ask(prompt: str) -> ChatRequest:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
    return ChatRequest(messages, temperature=0.5, top_p=0.9, max_tokens=9, seed=4, stop=("END",))


def streamed(asked: Provider, request: ChatRequest) -> list[ChatPiece]:
    async def read() -> list[ChatPiece]:
        return [piece async for piece in asked.stream(request)]

    return asyncio.run(read())


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_answer_comes_with_its_usage(served: tuple[str, Log], kind: Kind) -> None:
    answer = provider(served, kind).complete(ask("one two three"))
    assert (answer.text, answer.ended, answer.usage) == ("three two one", "eos", Usage(3, 3))
    sent = served[1].bodies[-1]
    if kind == "openai":
        assert sent["messages"][0]["role"] == "system"
        assert (sent["temperature"], sent["top_p"], sent["seed"], sent["stop"]) == (0.5, 0.9, 4, ["END"])
        assert served[1].headers[-1]["authorization"] == f"Bearer {KEY}"
    else:
        assert sent["system"] == "Be brief."
        assert [turn["role"] for turn in sent["messages"]] == ["user"]
        assert sent["stop_sequences"] == ["END"]
        assert served[1].headers[-1]["x-api-key"] == KEY


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_gives_each_piece_then_its_end_and_usage(served: tuple[str, Log], kind: Kind) -> None:
    pieces = streamed(provider(served, kind), ask("one two three"))
    assert [piece.text for piece in pieces if piece.text] == ["three ", "two ", "one "]
    assert [piece.ended for piece in pieces if piece.ended] == ["eos"]
    counted = [piece.usage for piece in pieces if piece.usage]
    assert next(usage.prompt_tokens for usage in counted if usage.prompt_tokens is not None) == 3
    assert counted[-1].answer_tokens == 3


def test_token_probabilities_are_read_where_they_are_given(served: tuple[str, Log]) -> None:
    pieces = streamed(provider(served, "openai"), ask("one"))
    token = pieces[0].tokens[0]
    assert (token.text, round(token.probability, 3)) == ("one ", 0.607)
    assert token.top[0][0] == "one "


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trouble", ["busy", "broken", "drop"])
def test_what_passes_is_tried_again(served: tuple[str, Log], kind: Kind, trouble: str) -> None:
    asked = f"{trouble} {kind} again"
    assert provider(served, kind).complete(ask(asked)).text == f"again {kind} {trouble}"
    text = "".join(piece.text for piece in streamed(provider(served, kind), ask(f"{asked} streamed")))
    assert text == f"streamed again {kind} {trouble} "
    assert served[1].asked[asked] == (3 if trouble == "busy" else 2)


def test_what_does_not_pass_is_given_up_with_the_reason(served: tuple[str, Log]) -> None:
    with pytest.raises(ProviderError, match="provider far: answered 500: out of memory") as raised:
        provider(served, "openai", attempts=3).complete(ask("always"))
    assert raised.value.retryable
    assert served[1].asked["always"] == 3


def test_a_wait_of_hours_is_not_waited(served: tuple[str, Log]) -> None:
    with pytest.raises(ProviderError, match="429: slow down") as raised:
        provider(served, "anthropic").complete(ask("later"))
    assert raised.value.retry_after == 7200
    assert served[1].asked["later"] == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("refuse", r"answered 400: bad request from \[key\]"),
        ("elsewhere", "it sends one elsewhere"),
        ("garbage", "no JSON object"),
        ("shape", "it answered no completion"),
    ],
)
def test_what_is_no_answer_is_one_line_at_once(
    served: tuple[str, Log], kind: Kind, prompt: str, line: str
) -> None:
    asked = f"{prompt} {kind}"
    with pytest.raises(ProviderError, match=line) as raised:
        provider(served, kind).complete(ask(asked))
    assert KEY not in str(raised.value)
    assert str(raised.value).isprintable()
    assert served[1].asked[asked] == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("break off here", "the stream broke off"),
        ("nonsense to read", "no JSON object"),
        ("fails here", r"overloaded \[key\]"),
        ("stall here", "no answer within 0.3 s"),
    ],
)
def test_a_stream_that_breaks_keeps_its_text_and_ends_with_the_reason(
    served: tuple[str, Log], kind: Kind, prompt: str, line: str
) -> None:
    asked = provider(served, kind, seconds=0.3)
    texts: list[str] = []

    async def read() -> None:
        async for piece in asked.stream(ask(f"{prompt} {kind}")):
            texts.append(piece.text)  # noqa: PERF401 - what came before the failure is to be kept

    with pytest.raises(ProviderError, match=line) as raised:
        asyncio.run(read())
    assert "".join(texts).startswith(kind)
    assert KEY not in str(raised.value)
    assert served[1].asked[f"{prompt} {kind}"] == 1


def test_silence_is_given_up(served: tuple[str, Log]) -> None:
    with pytest.raises(ProviderError, match=r"no answer within 0.1 s. Set timeout_seconds"):
        provider(served, "openai", seconds=0.1, attempts=2).complete(ask("silent"))


def test_leaving_a_stream_hangs_up(served: tuple[str, Log]) -> None:
    asked = provider(served, "openai")

    async def leave() -> None:
        async with contextlib.aclosing(asked.stream(ask("endless"))) as pieces:
            await anext(pieces)

    asyncio.run(leave())
    assert served[1].hung_up.wait(30)


def test_a_model_that_wants_the_newer_name_of_a_setting_gets_it(served: tuple[str, Log]) -> None:
    asked = provider(served, "openai", attempts=1)
    assert asked.complete(ask("newer one")).text == "one newer"
    assert asked.complete(ask("newer two")).text == "two newer"
    assert served[1].asked["newer two"] == 1


def test_nobody_listening_is_said(served: tuple[str, Log]) -> None:
    settings = ProviderSettings("openai", "http://127.0.0.1:9/v1", "words")
    with pytest.raises(ProviderError, match=r"no connection to http://127.0.0.1:9/v1 .*Does it run\?"):
        open_provider({"gone": settings}, "gone", attempts=2).complete(ask("one"))


def test_a_wrong_key_is_not_repeated(
    served: tuple[str, Log], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-another")
    caplog.set_level(logging.INFO)
    with pytest.raises(ProviderError, match="Check TEST_KEY") as raised:
        provider(served, "openai").complete(ask("one"))
    assert "sk-another" not in str(raised.value) + caplog.text
    assert "\x1b" not in str(raised.value)


def test_a_key_that_is_not_in_the_environment_is_named(
    served: tuple[str, Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(RlftError, match="TEST_KEY: the key of provider far is not in the environment"):
        provider(served, "openai").complete(ask("one"))


def test_models_are_listed_and_chosen_by_name(served: tuple[str, Log]) -> None:
    settings = ProviderSettings("openai", served[0] + "/v1")
    assert open_provider({"far": settings}, "far:x:7b").model == "x:7b"
    assert open_provider({"far": settings}, "far:x").models() == ["words-1", "words-2"]
    with pytest.raises(RlftError, match="has no model set"):
        open_provider({"far": settings}, "far")
    with pytest.raises(NotFoundError, match=r"Did you mean far\?"):
        open_provider({"far": settings}, "fat")


def test_a_vllm_server_is_understood(served: tuple[str, Log]) -> None:
    settings = ProviderSettings("openai", f"{served[0]}/v1", timeout_seconds=0.6)
    vllm = open_provider({"vllm": settings}, "vllm:tuned", attempts=1)
    asked = replace(ask("one two"), probabilities=True, top_k=40, more={"repetition_penalty": 1.1})
    pieces = streamed(vllm, asked)
    assert "".join(piece.text for piece in pieces) == "one two "
    assert [piece.tokens[0].text for piece in pieces if piece.tokens] == ["one ", "two "]
    assert [piece.ended for piece in pieces if piece.ended] == ["eos"]
    assert pieces[-1].usage == Usage(9, 2)
    sent = served[1].bodies[-1]
    assert (sent["top_k"], sent["repetition_penalty"], sent["top_logprobs"]) == (40, 1.1, 5)
    # Thoughts are not the answer, and last longer here than a stream may be silent.
    assert "".join(piece.text for piece in streamed(vllm, ask("think long"))) == "think long "
    with pytest.raises(ProviderError, match="provider vllm: engine died"):
        streamed(vllm, ask("old style"))
    with pytest.raises(ProviderError, match="answered 404: The model `gone` does not exist"):
        streamed(open_provider({"vllm": settings}, "vllm:gone", attempts=1), ask("one"))


def test_pauses_double_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 1.0)
    attempts = Attempts(4)
    pauses = [attempts.pause(ProviderError("x", retryable=True)) for _ in range(3)]
    assert all(2**n / 2 <= pause <= 2**n for n, pause in enumerate(pauses))
    with pytest.raises(ProviderError):
        attempts.pause(ProviderError("x", retryable=True))
    assert Attempts(2).pause(ProviderError("x", retryable=True, retry_after=7.0)) == 7.0
    with pytest.raises(ProviderError):
        Attempts(9).pause(ProviderError("x"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-2", 0.0), ("soon", None), ("nan", None), (None, None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_how_long_to_wait_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_events_are_read_whatever_the_blocks() -> None:
    sent = b": ping\r\n\r\nevent: a\ndata: 1\ndata: \xc3\xa4\n\ndata:2\n\ndata: half"
    for size in (1, 2, 3, 7, 100):
        reader = EventReader()
        found = [
            event for start in range(0, len(sent), size) for event in reader.take(sent[start : start + size])
        ]
        assert found == [("a", "1\nä"), ("", "2")]
