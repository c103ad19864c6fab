"""Presets: named beginnings for a run, one TOML file each beside this module.

``[every]`` holds for each method that has the setting, ``[METHOD]`` for one, and comes second.
A preset sets only what it says; everything else keeps the method's own default.
"""

from __future__ import annotations

import difflib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError
from rlft_tui.record import Record
from rlft_tui.runs.run_spec import SPECS
from rlft_tui.runs.spec_fields import get_value, laid_over, set_value, spec_fields

PRESETS = ("quick", "production", "low-memory", "high-performance")


class Preset(Record, frozen=True):
    """A named beginning for one method."""

    name: str
    about: str
    """One line on what it is for."""
    values: dict[str, Any]
    """The settings it sets, nested as in the spec."""


def preset(method: str, name: str) -> Preset:
    """What a preset sets for a method; NotFoundError names the nearest one."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"Presets: {', '.join(PRESETS)}"
        raise NotFoundError(f"no preset called {name!r}", where=method, remedy=remedy)
    read = _read(name)
    every: dict[str, Any] = read.get("every", {})
    fitting: dict[str, Any] = {}
    for field in spec_fields(SPECS[method]):
        value = get_value(every, field.path)
        if value is not None:
            set_value(fitting, field.path, value)
    return Preset(name, str(read["about"]), laid_over(fitting, read.get(method, {})))


@lru_cache(maxsize=len(PRESETS))
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
