"""Suites by name: those that come along, and the user's own in the workspace's ``suites/``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.suites.suite_info import SuiteInfo
from rlft_tui.evaluations.suites.tasks import Suite
from rlft_tui.models.name_hint import name_hint
from rlft_tui.paths import PACKAGE

BUILT_IN = next(
    (folder for parent in (PACKAGE, PACKAGE.parent) if (folder := parent / "data" / "suites").is_dir()),
    PACKAGE / "data" / "suites",
)
"""Inside an installed package, or beside it in a checkout."""
FOLDER = "suites"
"""Of the workspace."""


def find_suite(name: str, workspace: Path | None) -> Path:
    """The TOML file of a suite: the workspace's own goes before one that comes along.

    NotFoundError with the nearest name.
    """
    files = suite_files(workspace)
    if name not in files:
        raise NotFoundError(f"no suite called {name!r}", remedy=name_hint(name, sorted(files)))
    return files[name]


def suite_files(workspace: Path | None) -> dict[str, Path]:
    """Name → file, the workspace's own first."""
    folders = ([workspace / FOLDER] if workspace else []) + [BUILT_IN]
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def list_suites(workspace: Path | None) -> tuple[SuiteInfo, ...]:
    """Every suite; one that cannot be read says why."""
    return tuple(_info(name, path) for name, path in suite_files(workspace).items())


def read_suite(path: Path) -> Suite:
    """A suite's file, checked; RlftError names the first thing that is wrong with it."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise NotFoundError("no such suite", where=str(path)) from None
    except UnicodeDecodeError:
        raise RlftError("not valid TOML: it is no UTF-8 text", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise RlftError(f"not valid TOML: {error}", where=str(path)) from None
    return parse_suite(values, where=str(path))


def parse_suite(values: object, *, where: str) -> Suite:
    """Plain values as a suite."""
    try:
        return TypeAdapter(Suite).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        own = first["type"] == "value_error"
        said = str(first["ctx"]["error"]) if own else first["msg"][:1].lower() + first["msg"][1:]
        raise RlftError(
            said if own else f"{place}: {said}", where=where, remedy="See docs/guide/evaluate.md"
        ) from None


def _info(name: str, path: Path) -> SuiteInfo:
    built_in = path.parent == BUILT_IN
    try:
        suite = read_suite(path)
    except RlftError as error:
        return SuiteInfo(name, "", str(path), built_in, trouble=error.what)
    tasks = tuple((task.name, task.kind) for task in suite.task)
    return SuiteInfo(name, suite.title, str(path), built_in, tasks)
