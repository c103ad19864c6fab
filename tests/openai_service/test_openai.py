"""``rlft serve --openai``: the official client against the real server, worker and a tiny model."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import ConflictError
from rlft_tui.models.model import Model
from rlft_tui.server.answers import AskedSide, GenerateRequest
from rlft_tui.server.remote_access import RemoteToken, may_come_from_outside
from tests.conftest import add_pairs, stop_server, wait_for
from tests.tiny_model import make_tiny_model

PICTURE: list[Any] = [{"role": "user", "content": [{"type": "image_url"}]}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "f"}}]
HELLO: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say ö."}]


@dataclass(frozen=True)
class Served:
    client: WorkspaceClient
    url: str
    token: str

    def openai(self, token: str = "") -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"{self.url}/v1",
            api_key=token or self.token,
            max_retries=0,
            timeout=300.0,
            http_client=openai.DefaultHttpxClient(trust_env=False),
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server with a tiny model, asked over TCP by all tests of this file."""
    folder = tmp_path_factory.mktemp("openai")
    runtime = tempfile.mkdtemp(prefix="rlft-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("RLFT_WORKSPACE", raising=False)
        workspace = create_workspace(folder / "workspace")
        with connect(workspace) as client:
            client.add_model(Model("tiny", "base", str(make_tiny_model(folder / "tiny"))))
            client.add_model(Model("judge", "reward", str(folder / "tiny")))
            state = client.serve_remote("127.0.0.1", 0, openai=True)
            yield Served(client, state.url, RemoteToken(workspace).text())
        stop_server(workspace)
    shutil.rmtree(runtime, ignore_errors=True)


def test_registered_models_are_listed(served: Served) -> None:
    assert [model.id for model in served.openai().models.list()] == ["tiny"]
    assert served.openai().models.retrieve("tiny").owned_by == "rlft"


def test_an_answer_comes_whole_or_in_pieces_and_is_the_same(served: Served) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HELLO, "seed": 4, "max_tokens": 24}
    whole = served.openai().chat.completions.create(**asked)
    choice = whole.choices[0]
    assert choice.message.content
    assert choice.finish_reason in ("length", "stop")
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 24
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    stream = served.openai().chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    pieces = list(stream)
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text == choice.message.content
    assert pieces[0].choices[0].delta.role == "assistant"
    assert pieces[-1].usage == whole.usage
    ends = [piece.choices[0].finish_reason for piece in pieces if piece.choices]
    assert ends[-1] == choice.finish_reason
    assert not any(ends[:-1])


def test_several_choices_differ(served: Served) -> None:
    found = served.openai().chat.completions.create(
        model="tiny", messages=HELLO, n=3, seed=1, max_completion_tokens=16, temperature=1.0
    )
    assert [choice.index for choice in found.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in found.choices}) == 3


def test_an_answer_ends_before_a_stop_text(served: Served) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HELLO, "seed": 4, "max_tokens": 24}
    whole = served.openai().chat.completions.create(**asked).choices[0].message.content
    assert whole
    stop = whole[4:6]
    cut = served.openai().chat.completions.create(**asked, stop=[stop]).choices[0]
    assert cut.message.content == whole[: whole.index(stop)]
    assert cut.finish_reason == "stop"


def test_probabilities_are_told_as_logarithms(served: Served) -> None:
    found = served.openai().chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=6, temperature=0, logprobs=True, top_logprobs=2
    )
    told = found.choices[0].logprobs
    assert told is not None
    assert told.content
    assert "".join(token.token for token in told.content) == found.choices[0].message.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in told.content)


@pytest.mark.parametrize(
    ("more", "raised", "said"),
    [
        ({"model": "tinny"}, openai.NotFoundError, "no model called 'tinny'"),
        ({"model": "/etc"}, openai.NotFoundError, "no model called"),
        ({"model": "judge"}, openai.NotFoundError, "no model called"),
        ({"messages": []}, openai.BadRequestError, "the user's"),
        ({"messages": PICTURE}, openai.BadRequestError, "only text"),
        ({"tools": TOOLS}, openai.BadRequestError, "tools is not"),
        ({"temperature": 9.0}, openai.BadRequestError, "temperature"),
        ({"n": 9}, openai.BadRequestError, "n must lie"),
        ({"seed": 2**70}, openai.BadRequestError, "seed: must be below"),
        ({"seed": 2**64 - 1}, openai.BadRequestError, "seed: must be below"),
        ({"extra_body": {"top_k": 2**70}}, openai.BadRequestError, "top_k: no whole number"),
        ({"presence_penalty": 0.5}, openai.BadRequestError, "presence_penalty"),
        ({"messages": [{"role": "user", "content": "x" * 3000}]}, openai.BadRequestError, "the model reads"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_in_openais_shape(
    served: Served, more: dict[str, Any], raised: type[openai.APIStatusError], said: str
) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HELLO, "max_tokens": 4, **more}
    with pytest.raises(raised, match=said) as refused:
        served.openai().chat.completions.create(**asked)
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["type"] == "invalid_request_error"


def test_an_error_amid_a_stream_reaches_the_client(served: Served) -> None:
    stream = served.openai().chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "x" * 3000}], stream=True
    )
    with pytest.raises(openai.APIError, match="the model reads"):
        list(stream)


def test_garbage_is_refused(served: Served) -> None:
    headers = {"authorization": f"Bearer {served.token}"}
    with httpx.Client(trust_env=False, headers=headers) as http:
        for body in (b"", b"[]", b'{"model": 3}', b"\xff\x00", b'{"model": "tiny", "messages": "hi"}'):
            answer = http.post(f"{served.url}/v1/chat/completions", content=body)
            assert answer.status_code == 400
            assert answer.json()["error"]["message"]


def test_an_unknown_path_is_refused_in_openais_shape(served: Served) -> None:
    with pytest.raises(openai.NotFoundError, match="/v1/embeddings: not found"):
        served.openai().embeddings.create(model="tiny", input="ö")


def test_the_token_is_the_key(served: Served) -> None:
    with pytest.raises(openai.AuthenticationError, match="token is missing or wrong"):
        served.openai("sk-wrong").chat.completions.create(model="tiny", messages=HELLO)


def test_nothing_is_asked_through_a_door_that_was_not_opened_for_it() -> None:
    assert may_come_from_outside("POST", "/v1/chat/completions", openai=True)
    assert not may_come_from_outside("POST", "/v1/chat/completions")
    assert not may_come_from_outside("GET", "/v1/models")
    assert not may_come_from_outside("DELETE", "/v1/models/tiny", openai=True)
    assert not may_come_from_outside("POST", "/v1/../api/v1/shutdown", openai=True)


def test_a_killed_worker_is_told_at_once_and_replaced(served: Served) -> None:
    """Also that a verdict stored before stands, and another can be stored after."""
    add_pairs(served.client, 1, prefix="before")
    long = GenerateRequest("Say ö.", sides=(AskedSide("tiny"), AskedSide("tiny")), max_new_tokens=900)
    pieces = []
    for piece in served.client.generate(long):
        if not pieces:
            os.kill(served.client.inference_status()["pid"], signal.SIGKILL)
        pieces.append(piece)
    errors = [piece for piece in pieces if piece.kind == "error"]
    assert [(piece.side, piece.restarts) for piece in errors] == [(0, True), (1, True)]
    assert "signal 9" in errors[0].text
    assert {model.name for model in served.client.models()} == {"judge", "tiny"}
    add_pairs(served.client, 1, prefix="after")
    again = served.openai().chat.completions.create(model="tiny", messages=HELLO, max_tokens=4)
    assert again.choices[0].message.content


def test_a_client_that_hangs_up_frees_the_worker(served: Served) -> None:
    stream = served.openai().chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=900, stream=True, temperature=1.5
    )
    next(iter(stream))
    stream.close()
    wait_for(lambda: not served.client.inference_status()["asked"], "the request to be cancelled")


def test_serving_models_is_its_own_choice(served: Served) -> None:
    state = served.client.remote()
    assert state.openai
    with pytest.raises(ConflictError):
        served.client.serve_remote("127.0.0.1", state.port)
