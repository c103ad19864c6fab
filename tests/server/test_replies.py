"""How errors leave the server: a status by class, always one line."""

from __future__ import annotations

import asyncio
import errno
import json

import duckdb
import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.runs.run_status import Alert
from rlft_tui.server.replies import add_error_replies, reply


class Place(BaseModel):
    path: str


def answer(error: Exception, path: str = "/fails") -> tuple[int, dict[str, str]]:
    app = FastAPI()
    add_error_replies(app)

    @app.get("/fails")
    def fails(number: int = 0) -> None:
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://rlft") as client:
            return await client.get(path)

    response = asyncio.run(ask())
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("kind", "status"),
    [(NotFoundError, 404), (ConflictError, 409), (UnavailableError, 503), (RlftError, 400)],
)
def test_an_error_for_people_keeps_its_three_parts(kind: type[RlftError], status: int) -> None:
    error = kind("it broke", where="there", remedy="Mend it")
    assert answer(error) == (status, {"what": "it broke", "where": "there", "remedy": "Mend it"})


def test_what_nobody_expected_is_one_line_that_points_to_the_log() -> None:
    status, body = answer(ValueError("first line\nsecond line"))
    assert status == 500
    assert body["what"] == "the server failed (ValueError: first line)"
    assert "server.log" in body["remedy"]


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        duckdb.InvalidInputException("Python integer too large for 128-bit integer type"),
        OSError(errno.ENAMETOOLONG, "File name too long", "x" * 5000),
    ],
)
def test_a_value_that_nothing_can_store_is_the_requests_fault(error: Exception) -> None:
    status, body = answer(error)
    assert status == 400
    assert body["what"].startswith("a value in the request cannot be stored: ")
    assert len(body["what"]) < 300


def test_a_disk_that_fails_is_not() -> None:
    assert answer(OSError(errno.EIO, "Input/output error"))[0] == 500


def test_a_field_may_be_called_path() -> None:
    app = FastAPI()
    add_error_replies(app)

    @app.post("/places")
    def take(place: Place) -> None: ...

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rlft") as client:
            return await client.post("/places", json={})

    assert asyncio.run(ask()).json()["what"] == "path: Field required"


def test_a_parameter_of_the_wrong_type_is_named() -> None:
    status, body = answer(ValueError(), "/fails?number=many")
    assert status == 400
    assert body["what"].startswith("number: ")
    assert body["where"] == "/fails"


def test_an_unknown_route_is_not_found() -> None:
    status, body = answer(ValueError(), "/nowhere")
    assert (status, body["what"], body["where"]) == (404, "not found", "GET /nowhere")


def test_half_a_surrogate_pair_in_a_runs_files_does_not_end_the_answer() -> None:
    broken = Alert(3, 1.5, "error", "no such file: caf\udce9.txt")
    assert json.loads(bytes(reply([broken]).body))[0]["message"] == "no such file: caf?.txt"
    assert answer(RlftError("no", where="\udcff"))[1]["where"] == "?"
