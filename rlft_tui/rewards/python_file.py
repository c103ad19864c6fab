"""Reward functions in the user's own Python files: found without running them, loaded when used."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import stat
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.rewards.reward_function import RewardFunction

GIVEN = frozenset({"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric"})
"""What every trainer gives; other arguments are columns of the data set."""
MOST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class FoundFunction:
    """A function that could be a reward, as its source tells."""

    name: str
    line: int
    says: str
    """First line of its docstring."""


def functions_in(path: Path) -> tuple[FoundFunction, ...]:
    """The public functions a file defines at its top, without running it.

    RlftError with the line when it is no Python.
    """
    try:
        found = path.stat()
        # A pipe would be waited for, and a device never ends.
        if not stat.S_ISREG(found.st_mode):
            raise RlftError("not a regular file", where=str(path))
        if found.st_size > MOST_BYTES:
            raise RlftError(f"more than {MOST_BYTES // 1_000_000} MB of Python", where=str(path))
        source = path.read_bytes()
        tree = ast.parse(source, filename=str(path))
    except FileNotFoundError:
        raise NotFoundError(
            "no such file", where=str(path), remedy="rlft rewards list shows what there is"
        ) from None
    except OSError as error:
        raise RlftError(
            f"cannot be read: {(error.strerror or str(error)).lower()}", where=str(path)
        ) from None
    except SyntaxError as error:
        raise RlftError(f"no valid Python: {error.msg}", where=f"{path}:{error.lineno or 1}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise RlftError(f"no valid Python: {error}", where=str(path)) from None
    return tuple(
        FoundFunction(node.name, node.lineno, (ast.get_docstring(node) or "").partition("\n")[0])
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    )


def choose_function(path: Path, name: str = "") -> str:
    """The function of that name; without one ``reward``, the one called like the file, or the only one."""
    names = [found.name for found in functions_in(path)]
    if name:
        if name in names or name in _other_names(path):
            return name
        raise NotFoundError(f"no function {name!r} in it", where=str(path), remedy=_choice(path, names))
    for usual in ("reward", path.stem):
        if usual in names:
            return usual
    if len(names) == 1:
        return names[0]
    what = "several functions in it" if names else "no function in it"
    raise RlftError(what, where=str(path), remedy=_choice(path, names))


def _other_names(path: Path) -> set[str]:
    """Names that a file's top binds otherwise than by ``def``: imported or assigned."""
    names: set[str] = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _choice(path: Path, names: list[str]) -> str:
    if not names:
        return "Define one: def reward(prompts, completions, **columns)"
    return "Name one: " + ", ".join(f"{path.name}:{name}" for name in names)


def columns_asked(path: Path, name: str = "") -> frozenset[str]:
    """Columns of the data set that a function cannot do without: its arguments that have no default."""
    chosen = choose_function(path, name)
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == chosen:
            given = node.args
            places = [*given.posonlyargs, *given.args]
            needed = places[: len(places) - len(given.defaults)]
            needed += [
                each
                for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
                if default is None
            ]
            return frozenset(each.arg for each in needed) - GIVEN
    return frozenset()


def load_function(path: Path, name: str = "") -> RewardFunction:
    """Run a file and take a function from it. Only for processes that may run the user's code."""
    chosen = choose_function(path, name)
    function: Callable[..., Any] = getattr(_load(path.resolve()), chosen)
    if not callable(function):
        raise RlftError(f"{chosen} is {type(function).__name__}, not a function", where=str(path))
    accepted = _accepted(function)

    def call(prompts: Any, completions: Any, completion_ids: Any = None, **columns: Any) -> Any:
        given = {"prompts": prompts, "completions": completions, "completion_ids": completion_ids, **columns}
        if accepted is not None:
            given = {key: value for key, value in given.items() if key in accepted}
        result = function(**given)
        if not inspect.iscoroutine(result):
            return result
        import asyncio  # slow to import, and most functions are not async

        return asyncio.run(result)

    call.__name__ = chosen
    return call


def _accepted(function: Callable[..., Any]) -> frozenset[str] | None:
    """Names of the arguments a function takes; None when it takes any."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in parameters)


def _load(path: Path) -> ModuleType:
    name = f"rlft_reward_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RlftError("not a Python file", where=str(path), remedy="Its name has to end with .py")
    module = importlib.util.module_from_spec(spec)
    # Files beside it may be imported by it.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RlftError(f"cannot be loaded: {told(error)}", where=at_line(path, error)) from error
    except SystemExit as error:
        del sys.modules[name]
        raise RlftError("ends the program while it is loaded", where=at_line(path, error)) from error
    return module


def told(error: BaseException) -> str:
    """An exception in one line: its kind and its own words."""
    own = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {own}" if own else type(error).__name__


def at_line(path: Path, error: BaseException) -> str:
    """``file:line`` where an exception passed through a file last; the file alone when it did not."""
    line = last_line(path, error.__traceback__)
    return f"{path}:{line}" if line else str(path)


def last_line(path: Path, trace: TracebackType | None) -> int | None:
    """Line in the file nearest to where an exception was raised."""
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if Path(frame.filename) == path]
    return lines[-1] if lines else None
