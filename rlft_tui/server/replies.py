"""How answers and errors leave the server, and how request bodies are read."""

from __future__ import annotations

import errno
from typing import Annotated, Any, TypeVar

import duckdb
import msgspec
from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.server.openai_shapes import error_body
from rlft_tui.server.remote_access import OPENAI

T = TypeVar("T")
Sent = Annotated[T, Body()]
"""A record that is the body of a request: FastAPI knows by itself only its own and dataclasses."""
DETAILED = "/api/policies/"
"""Below it an error is ``{"detail"}``."""
_STATUS: dict[type[RlftError], int] = {NotFoundError: 404, ConflictError: 409, UnavailableError: 503}


def reply(value: Any, status: int = 200) -> Response:
    """Any domain value as JSON, encoded the way the client decodes it."""
    try:
        content = msgspec.json.encode(value)
    except UnicodeEncodeError:
        content = msgspec.json.encode(_encodable(msgspec.to_builtins(value)))
    return Response(content, status, media_type="application/json")


def _encodable(value: Any) -> Any:
    """Plain values with a question mark for each half of a surrogate pair.

    A job's error may bring one along, in a file name that is no UTF-8.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list | tuple) else value


def decode(content: bytes, kind: type[T]) -> T:
    """A request body as a domain value; RlftError names the field that is wrong."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise RlftError(f"the request is not valid: {error}", remedy="See /docs of the server") from None


def add_error_replies(app: FastAPI) -> None:
    """Every error becomes ``{"what", "where", "remedy"}`` with a status that tells its class.

    The policy service's are ``{"detail"}``, all in one line, as its clients read them; below /v1 they are
    OpenAI's.
    """

    def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, RlftError)
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
        return _error(request, status, error.what, error.where, error.remedy)

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        # Where it stood comes first; a field may have the same name.
        place = ".".join(map(str, first["loc"][1:]))
        message = str(first["msg"])
        if first["type"] == "json_invalid":
            place, message = "", "the body is not valid JSON"
        elif not place and isinstance(first.get("input"), str | bytes):
            message = "the body was not read as JSON: send it with Content-Type: application/json"
        return _error(request, 400, f"{place}: {message}" if place else message, request.url.path)

    def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _error(
            request, error.status_code, str(error.detail).lower(), f"{request.method} {request.url.path}"
        )

    def unfit(request: Request, error: Exception) -> Response:
        """What no database or disk takes: half a surrogate pair, a number of 400 digits, an endless name."""
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            raise error
        return _error(
            request, 400, f"a value in the request cannot be stored: {str(error)[:200]}", request.url.path
        )

    def unexpected(request: Request, error: Exception) -> Response:
        line = str(error).split("\n", 1)[0]
        return _error(
            request,
            500,
            f"the server failed ({type(error).__name__}: {line})",
            request.url.path,
            "The traceback is in server.log of the workspace",
        )

    app.add_exception_handler(RlftError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, routing)
    for kind in (UnicodeEncodeError, OverflowError, OSError, duckdb.InvalidInputException):
        app.add_exception_handler(kind, unfit)
    app.add_exception_handler(Exception, unexpected)


def _error(request: Request, status: int, what: str, where: str = "", remedy: str = "") -> Response:
    if request.url.path.startswith(DETAILED):
        said = what if where in ("", request.url.path) else str(RlftError(what, where=where))
        return reply({"detail": f"{said}. {remedy}" if remedy else said}, status)
    if request.url.path.startswith(OPENAI):
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return reply(error_body(str(RlftError(what, where=where, remedy=remedy)), kind=kind), status)
    return reply({"what": what, "where": where, "remedy": remedy}, status)
