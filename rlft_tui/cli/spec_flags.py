"""Flags made from a run spec: form, TOML file and flags are one thing.

A setting ``lora.r`` is ``--lora-r``. Only what was given on the command line overrides the TOML
file, so every flag's own default is None and the spec's default stands in its help.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from rlft_tui.runs.run_spec import ALL_SPECS
from rlft_tui.runs.spec_fields import SpecField, set_value, spec_fields

_METAVARS = {"integer": "N", "number": "X", "numbers": "X", "names": "NAME", "text": "TEXT"}
_NAMED = {"model": "{} Name in rlft models list.", "dataset": "Data set: name or hash in rlft data list."}
_KINDS: dict[str, Any] = {
    "integer": int,
    "number": float,
    "switch": bool,
    "names": list[str],
    "numbers": list[str],
}


def parameters(method: str) -> list[inspect.Parameter]:
    """Every setting of the method as a keyword parameter of a command, None when not given."""
    return [
        inspect.Parameter(
            _parameter(field), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(field)
        )
        for field in spec_fields(ALL_SPECS[method])
    ]


def given_values(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given, as plain spec values."""
    values: dict[str, Any] = {}
    for field in spec_fields(ALL_SPECS[method]):
        value = given.get(_parameter(field))
        if value is None or value in ((), []):
            continue
        if isinstance(value, list | tuple):
            value = [part.strip() for text in value for part in text.split(",") if part.strip()]
        set_value(values, field.path, _numbers(value) if field.kind == "numbers" else value)
    return values


def flag_help(field: SpecField) -> str:
    """The setting's meaning, its values, bounds and default."""
    default = field.shown_default()
    notes = (" | ".join(field.choices), field.bounds, f"default: {default}" if default else "")
    said = "; ".join(note for note in notes if note)
    text = _NAMED.get(field.kind, "{}").format(field.help)
    return f"{text} [{said}]" if said else text


def _parameter(field: SpecField) -> str:
    return "__".join(field.path)


def _annotation(field: SpecField) -> Any:
    names = [field.flag]
    if field.kind == "switch":
        names = [f"{field.flag}/--no-{field.flag.removeprefix('--')}"]
    option = typer.Option(
        *names,
        help=flag_help(field),
        metavar=_METAVARS.get(field.kind, "NAME") if field.kind != "switch" else None,
        show_default=False,
        rich_help_panel=field.theme,
    )
    return Annotated[_KINDS.get(field.kind, str) | None, option]


def _numbers(values: list[str]) -> list[Any]:
    """What is no number stays as it was written: the spec says so."""
    made: list[Any] = []
    for value in values:
        try:
            made.append(float(value))
        except ValueError:
            made.append(value)
    return made
