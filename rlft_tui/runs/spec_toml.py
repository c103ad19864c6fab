"""A run's settings as a TOML file: read with clear errors, written so that it explains itself."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import tomli_w

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.runs.run_spec import SPECS, command_of
from rlft_tui.runs.spec_fields import SpecField, get_value, spec_fields

WIDTH = 100


def read_toml(file: Path) -> dict[str, Any]:
    """The values in a spec file; it may leave out what has a default."""
    try:
        # A pipe would be waited for, and a device never ends.
        if file.exists() and not file.is_file():
            remedy = "Name a TOML file"
            raise RlftError("a spec is read from a regular file", where=str(file), remedy=remedy)
        return parse_toml(file.read_text(encoding="utf-8-sig"), where=str(file))
    except FileNotFoundError:
        raise NotFoundError("no such spec file", where=str(file), remedy="Check the name") from None
    except OSError as error:
        raise RlftError(
            f"cannot be read: {(error.strerror or str(error)).lower()}", where=str(file)
        ) from None
    except UnicodeDecodeError as error:
        raise RlftError(f"not valid TOML: {error}", where=str(file), remedy="Correct the file") from None


def parse_toml(text: str, *, where: str) -> dict[str, Any]:
    """The values in the text of a spec file."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RlftError(f"not valid TOML: {error}", where=where, remedy="Correct the file") from None
    except ValueError:  # Python parses no integer of more than 4300 digits
        what = "not valid TOML: a number in it is too long"
        raise RlftError(what, where=where, remedy="Correct the file") from None


def write_toml(method: str, values: Mapping[str, Any]) -> str:
    """Every setting of the method with its meaning, at ``values`` or at its default.

    What is in ``values`` and is no setting, such as ``parent``, is kept.
    """
    fields = spec_fields(SPECS[method])
    lines = [f"# rlft {command_of(method)} --spec FILE starts a run with these settings.", ""]
    lines.append(_line("method", method))
    lines += [
        _line(name, value)
        for name, value in values.items()
        if name not in ("method", *(field.path[0] for field in fields)) and not isinstance(value, Mapping)
    ]
    plain = [field for field in fields if len(field.path) == 1]
    for theme, members in groupby(plain, key=lambda field: field.theme):
        lines += ["", f"# {theme}", ""]
        lines += _settings(list(members), values)
    inner = [field for field in fields if len(field.path) > 1]
    for part, members in groupby(sorted(inner, key=lambda field: field.path[:-1]), key=_part):
        lines += ["", f"[{part}]"]
        lines += _settings(list(members), values)
    return "\n".join(lines) + "\n"


def _part(field: SpecField) -> str:
    return ".".join(field.path[:-1])


def _settings(fields: Sequence[SpecField], values: Mapping[str, Any]) -> Iterator[str]:
    for field in fields:
        given = get_value(values, field.path)
        value = field.default if given is None else given
        notes = "; ".join(note for note in (" | ".join(field.choices), field.bounds) if note)
        text = f"{field.help} [{notes}]" if notes else field.help
        yield from textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
        yield f"# {field.path[-1]} = " if value is None else _line(field.path[-1], value)


def _line(name: str, value: Any) -> str:
    return f"{name} = {_inline(value)}"


def _inline(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inline(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_inline(each)}' for key, each in value.items())} }}"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
