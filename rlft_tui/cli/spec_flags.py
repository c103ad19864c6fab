"""Flags made from a run spec: form, TOML file and flags are one thing.

A field ``lora.r`` becomes ``--lora-r``. Only what was given on the command line
overrides the TOML file, so every flag's own default is None and the spec's
default stands in its help.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.runs.run_spec import ModelSource, parse_spec


@dataclass(frozen=True, slots=True)
class SpecFlag:
    """One setting of a spec as a flag."""

    path: tuple[str, ...]
    """Where it stands in the spec, such as ("lora", "r")."""
    kind: Any
    help: str

    @property
    def name(self) -> str:
        """``--lora-r``; the two sides of a generate run come last: ``--temperature-a``."""
        group, *rest = self.path
        if group.startswith("sampling_") and rest:
            return f"--{'-'.join(rest)}-{group.removeprefix('sampling_')}".replace("_", "-")
        return "--" + "-".join(self.path).replace("_", "-")

    @property
    def parameter(self) -> str:
        return "__".join(self.path)


def spec_flags(spec: type[BaseModel], *, without: Sequence[str] = ()) -> list[SpecFlag]:
    """A flag for each setting, groups such as ``lora`` flattened; ``id`` and ``method`` are no settings."""
    left_out = {"id", "method", *without}
    return [flag for flag in _flags(spec, (), {}) if flag.path[0] not in left_out]


def _flags(spec: type[BaseModel], outer: tuple[str, ...], defaults: dict[str, Any]) -> Iterator[SpecFlag]:
    for name, info in spec.model_fields.items():
        default = defaults.get(name, None if info.is_required() else info.default)
        kind = info.annotation
        if kind is ModelSource:
            yield SpecFlag((*outer, name), str, f"{info.description or ''} Name in rlft models list.".strip())
        elif ModelSource in get_args(kind):
            continue  # the server fills it in
        elif inspect.isclass(kind) and issubclass(kind, BaseModel):
            yield from _flags(kind, (*outer, name), default.model_dump() if default is not None else {})
        else:
            yield SpecFlag((*outer, name), kind, _help(info, default))


def _help(info: FieldInfo, default: Any) -> str:
    text = " ".join((info.description or "").split())
    notes = [note for note in (_range(info), f"default: {_shown(default)}" if _has(default) else "") if note]
    return f"{text} [{'; '.join(notes)}]".strip() if notes else text


def _has(default: Any) -> bool:
    return default is not None and default not in ("", ())


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _range(info: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(bound, name):g}"
        for bound in info.metadata
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if hasattr(bound, name) and getattr(bound, name) is not None
    ]
    return ", ".join(bounds)


def parameters(flags: Sequence[SpecFlag]) -> list[inspect.Parameter]:
    """The flags as keyword parameters of a command, None when not given."""
    return [
        inspect.Parameter(
            flag.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(flag)
        )
        for flag in flags
    ]


def _annotation(flag: SpecFlag) -> Any:
    names = [f"{flag.name}/--no-{flag.name.removeprefix('--')}"] if flag.kind is bool else [flag.name]
    help_text = flag.help
    kind: Any = flag.kind
    if get_origin(kind) is Literal:
        help_text = f"{'|'.join(get_args(kind))}: {help_text}"
        kind = str
    if get_origin(kind) is tuple:
        kind = str  # "a,b": the spec takes it apart
    metavar = {int: "N", float: "X", str: "NAME"}.get(kind)
    option = typer.Option(*names, help=help_text, metavar=metavar, show_default=False)
    return Annotated[kind | None, option]


def collect(
    method: str, flags: Sequence[SpecFlag], given: dict[str, Any], file: Path | None
) -> dict[str, Any]:
    """Plain spec values of a run with that method: the TOML file's, overridden by the flags given."""
    values = read_toml(file) if file is not None else {}
    if values.setdefault("method", method) != method:
        raise RlftError(
            f"a spec for {values['method']}, not for {method}",
            where=str(file),
            remedy=f'Name another file, or write method = "{method}"',
        )
    for flag in flags:
        if (value := given.get(flag.parameter)) is not None:
            group = values
            for name in flag.path[:-1]:
                group = group.setdefault(name, {})
                if not isinstance(group, dict):
                    raise RlftError(f"{name} is not a table", where=str(file), remedy=f"Write [{name}]")
            group[flag.path[-1]] = value
    return values


def read_toml(file: Path) -> dict[str, Any]:
    """The values in a spec file; it may leave out what has a default."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError("no such spec file", where=str(file), remedy="Check the name") from None
    except OSError as error:
        raise RlftError(
            f"cannot be read: {(error.strerror or str(error)).lower()}", where=str(file)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RlftError(f"not valid TOML: {error}", where=str(file), remedy="Correct the file") from None


def check_values(values: dict[str, Any], *, models: Sequence[str], where: str) -> None:
    """Validate before anything is started; a model given by name counts as found."""
    stand_ins = {
        name: {"name": values[name], "path": values[name]}
        for name in models
        if isinstance(values.get(name), str)
    }
    parse_spec({**values, **stand_ins}, where=where)
