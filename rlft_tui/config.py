"""rlft.toml: the settings of one workspace."""

from __future__ import annotations

import difflib
import getpass
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

import msgspec

from rlft_tui.errors import NotFoundError, RlftError


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting has a default; the file may name any of them."""

    labeler: str = field(default_factory=getpass.getuser)
    """Name under which verdicts are stored."""
    default_model: str = "smollm2-135m"
    """Model offered first for generating, training and comparing."""
    theme: str = "textual-dark"
    keymap: dict[str, str] = field(default_factory=dict)
    """Binding id to keys, such as ``label.first = "1,j"``."""
    idle_minutes: float = 30.0
    """The server ends itself after this long without a client or an active run."""
    worker_idle_minutes: float = 10.0
    """The inference worker frees its memory after this long without a request."""
    threads: int = 0
    """CPU threads of jobs; 0 leaves the choice to torch."""
    daily_backups: int = 7
    """How many automatic daily backups are kept; 0 for none."""


def read_settings(path: Path) -> Settings:
    """The settings in a rlft.toml; RlftError names file, key and the nearest valid key."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError("no settings file", where=str(path), remedy="rlft init makes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RlftError(f"not valid TOML: {error}", where=str(path)) from None
    known = [setting.name for setting in fields(Settings)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Settings: {', '.join(known)}"
            raise RlftError(f"unknown setting {key!r}", where=str(path), remedy=remedy)
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise RlftError(f"{error}".lower(), where=str(path)) from None
