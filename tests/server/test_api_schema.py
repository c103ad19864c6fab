"""Every call of the API, with what its schema allows and with what it does not: never a server error.

Schemathesis makes the requests, the same ones every time. They go to the application over a real
workspace, through uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from rlft_tui.config import create_workspace, read_settings
from rlft_tui.database.connection import open_database
from rlft_tui.server.app import create_app
from rlft_tui.server.remote_access import RemoteToken
from rlft_tui.server.remote_listener import RemoteListener
from rlft_tui.server.workspace_server import open_services
from tests.conftest import make_pairs

EXAMPLES = 2
"""Requests of each sort to each call."""
ANY_JSON = {"required": True, "content": {"application/json": {"schema": {}}}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, str]]:
    """The application with a few pairs in its workspace, and where it listens."""
    workspace = create_workspace(tmp_path_factory.mktemp("schema") / "workspace")
    workspace.settings.write_text('labeler = "ada"\ndaily_backups = 0\nround_pairs = 0\n')
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="rlft-") as runtime:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("RLFT_CACHE", runtime)
        with open_database(workspace) as database:
            services = open_services(workspace, read_settings(workspace.settings), database)
            app = create_app(services)
            services.remote = RemoteListener(app, RemoteToken(workspace))
            with running(app) as url:
                stored = httpx.post(
                    f"{url}/api/v1/pairs", content=msgspec.json.encode(make_pairs(6)), trust_env=False
                )
                assert stored.status_code == 200, stored.text
                yield app, url
            services.inference.close()
            services.supervisor.close()
            services.labels.close()


@contextlib.contextmanager
def running(app: FastAPI) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


def schema_of(app: FastAPI) -> dict[str, Any]:
    """The API's own, where a call that reads its body itself is given any JSON."""
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(app.openapi()))
    for methods in schema["paths"].values():
        for method, operation in methods.items():
            if method == "post" and "requestBody" not in operation:
                operation["requestBody"] = ANY_JSON
    return schema


def test_no_request_makes_a_server_error(served: tuple[FastAPI, str]) -> None:
    app, url = served
    schema = schemathesis.openapi.from_dict(schema_of(app))
    failed: list[str] = []
    asked: dict[str, int] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path}"

        def ask(case: Any, name: str) -> None:
            response = case.call(base_url=url, timeout=30)
            asked[name] = asked.get(name, 0) + 1
            # 503 is an answer: what is not there now, and the remedy.
            told = response.status_code == 503 and "what" in response.json()
            if response.status_code >= 500 and not told:
                failed.append(f"{name} {response.status_code} {response.text[:300]} {case.as_curl_command()}")

        # Any JSON at all has no opposite.
        described = app.openapi()["paths"][operation.path][operation.method]
        parametrised = bool(operation.query.items) or "requestBody" in described
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 1 + parametrised]:
            strategy = operation.as_strategy(generation_mode=mode).map(lambda case, name=name: (case, name))
            bounded = settings(
                max_examples=EXAMPLES,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            with contextlib.suppress(Unsatisfiable):
                bounded(given(strategy)(lambda pair: ask(*pair)))()
    assert not failed, "\n".join(failed)
    # Each call was asked; a path of /docs that is missing here would be a hole.
    assert len(asked) == sum(len(methods) for methods in app.openapi()["paths"].values())
    assert len(asked) > 80


def test_the_page_of_the_api_needs_nothing_from_elsewhere(served: tuple[FastAPI, str]) -> None:
    app, url = served
    page = httpx.get(f"{url}/docs", trust_env=False)
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "http://" not in page.text.replace(url, "")
    assert "https://" not in page.text
    for path in app.openapi()["paths"]:
        assert path in page.text, path
    for name in ("dryRun", "maxSteps", "learningRate", "rewardModelConfig", "feedbackCount", "policyId"):
        assert name in page.text
    assert httpx.get(f"{url}/openapi.json", trust_env=False).json() == app.openapi()


def test_a_body_that_is_too_large_is_refused_announced_or_not(
    served: tuple[FastAPI, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlft_tui.server.body_limit.MOST_BYTES", 1000)
    _, url = served
    for path in ("/api/v1/labels", "/api/policies/feedback/nurse", "/api/v1/runs"):
        announced = httpx.post(url + path, content=b"x" * 1001, trust_env=False)
        piece = httpx.post(url + path, content=(b"x" * 600 for _ in range(2)), trust_env=False)
        assert (announced.status_code, piece.status_code) == (413, 413), path
        assert "too large" in announced.text
        assert "too large" in piece.text
    for content in (b"x" * 1001, (b"x" * 600 for _ in range(2))):
        asked = httpx.post(f"{url}/v1/chat/completions", content=content, trust_env=False)
        assert (asked.status_code, asked.json()["error"]["type"]) == (413, "invalid_request_error")
    imported = httpx.post(f"{url}/api/v1/prompts/import?name=p.txt", content=b"x " * 1001, trust_env=False)
    assert imported.status_code == 200
