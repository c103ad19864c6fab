"""typer without pydantic where a value is what was typed.

typer converts every value by pydantic, also text to text: a tenth of a second at each start. Text, folders
that need no check and options that were not given go past it here; anything else is typer's as before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer
from typer.core import _TyperParameter
from typer.models import ParameterInfo

_converted = _TyperParameter.process_value


def _process_value(parameter: _TyperParameter, ctx: Any, value: Any) -> Any:
    if value == "" and parameter.type_descriptor.annotation is Path:
        # A Path would make it the folder the shell is in, which is hardly what an unset variable meant.
        raise typer.BadParameter("a path is needed, and it is empty", ctx=ctx, param=parameter)
    if parameter.multiple or parameter.nargs != 1 or not _is_as_typed(parameter, value):
        return _converted(parameter, ctx, value)
    if value is None and parameter.required:
        return _converted(parameter, ctx, value)
    if value is not None and parameter.type_descriptor.annotation is Path:
        value = Path(value)
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


def _is_as_typed(parameter: _TyperParameter, value: Any) -> bool:
    if value is None:
        return True
    kind, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    if not isinstance(value, str) or info.parser is not None:
        return False
    return kind is str or (kind is Path and not _is_checked(info) and os.access(value, os.R_OK))


def _is_checked(info: ParameterInfo) -> bool:
    wanted = (info.exists, info.writable, info.resolve_path, info.allow_dash, info.path_type)
    return any(wanted) or not (info.file_okay and info.dir_okay)


_TyperParameter.process_value = _process_value  # type: ignore[method-assign,assignment]

__all__ = ["typer"]
