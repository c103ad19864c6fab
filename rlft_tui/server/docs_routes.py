"""``/docs``: every call of the API on one page without script or network, made from /openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:52em;margin:2em auto;padding:0 1em}"
    "code,pre{font-family:monospace;background:#8882}pre{padding:.5em;overflow:auto}"
    "h2{border-top:1px solid #8888;padding-top:1em}td{vertical-align:top;padding-right:1em}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}"
)
_MOST_DEPTH = 3


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request) -> HTMLResponse:
    """The page."""
    schema: Mapping[str, Any] = request.app.openapi()
    return HTMLResponse("".join(_page(schema)))


def _page(schema: Mapping[str, Any]) -> Iterator[str]:
    title = escape(f"{schema['info']['title']} {schema['info']['version']}")
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    yield f"<h1>{title}</h1><p>Machine-readable: <a href=/openapi.json>/openapi.json</a></p><ul>"
    calls = [
        (method.upper(), path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    # What other programs call comes first.
    calls.sort(key=lambda call: "policies" not in call[2].get("tags", ()))
    for method, path, _ in calls:
        yield f'\n<li><a href="#{_anchor(method, path)}"><code>{method} {escape(path)}</code></a>'
    yield "</ul>"
    for method, path, operation in calls:
        yield from _call(schema, method, path, operation)
    yield "</html>\n"


def _call(schema: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'\n<h2 id="{_anchor(method, path)}"><code>{method} {escape(path)}</code></h2>'
    for paragraph in str(operation.get("description", "")).split("\n\n"):
        yield f"\n<p>{escape(paragraph)}</p>"
    rows = [
        (one["name"], one["in"], one.get("schema", {}), bool(one.get("required")))
        for one in operation.get("parameters", ())
    ]
    body = _json_of(operation.get("requestBody", {}))
    fields = _resolved(schema, body).get("properties", {}) if body else {}
    needed = _resolved(schema, body).get("required", ()) if body else ()
    rows += [(name, "body", one, name in needed) for name, one in fields.items()]
    if rows:
        yield "\n<table>"
        for name, where, one, required in rows:
            says = escape(str(one.get("description", "")))
            kind = escape(_kind(schema, one)) + ("" if required else ", optional")
            yield f"\n<tr><td><code>{escape(name)}</code><td>{where}: {kind}<td>{says}</tr>"
        yield "</table>"
    answer = _json_of(operation.get("responses", {}).get("200", {}))
    if answer:
        yield f"<p>Answers</p><pre>{escape(json.dumps(_example(schema, answer), indent=1))}</pre>"


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}", quote=True)


def _json_of(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _resolved(schema: Mapping[str, Any], one: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(one.get("$ref", "")).removeprefix("#/components/schemas/")
    found: Mapping[str, Any] = schema["components"]["schemas"][name] if name else one
    return found


def _kind(schema: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """In a word or two: integer, list of string, one of a, b."""
    one = _resolved(schema, one)
    if "enum" in one:
        return "one of " + ", ".join(map(str, one["enum"]))
    if "anyOf" in one:
        return " or ".join(_kind(schema, each) for each in one["anyOf"])
    if one.get("type") == "array":
        return f"list of {_kind(schema, one.get('items', {}))}"
    return str(one.get("type", one.get("title", "anything")))


def _example(schema: Mapping[str, Any], one: Mapping[str, Any], depth: int = 0) -> Any:
    """The shape of an answer, with the kind of each value in place of it."""
    one = _resolved(schema, one)
    if "anyOf" in one:
        shapes = [_example(schema, each, depth) for each in one["anyOf"] if each.get("type") != "null"]
        return shapes[0] if len(shapes) == 1 else shapes
    if "const" in one:
        return one["const"]
    if one.get("type") == "array":
        return [_example(schema, one.get("items", {}), depth + 1)]
    if "properties" in one and depth < _MOST_DEPTH:
        return {name: _example(schema, each, depth + 1) for name, each in one["properties"].items()}
    return _kind(schema, one)
