"""rlft.toml: the settings of one workspace."""

from __future__ import annotations

import difflib
import getpass
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

import msgspec

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.paths import Workspace


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
    repeat_share: float = 0.05
    """Share of the pairs that come back hidden with their sides swapped, to measure the labeller."""
    control_share: float = 0.2
    """Share of an active order that is chosen at random, so that its saving can be measured."""
    overlap: int = 0
    """How many labellers judge one pair; 0 for everybody."""


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


_TEMPLATE = """\
# Settings of this rlft workspace. Every line is optional; the values shown are the defaults.

# Name under which your verdicts are stored (default: your user name).
# labeler = "{labeler}"

# Model offered first for generating, training and comparing.
# default_model = "{default_model}"

# Colours of the workbench: any Textual theme.
# theme = "{theme}"

# The server ends itself after this many minutes without a client or an active run.
# idle_minutes = {idle_minutes}

# The inference worker frees its memory after this many minutes without a request.
# worker_idle_minutes = {worker_idle_minutes}

# CPU threads of training and generating; 0 leaves the choice to torch.
# threads = {threads}

# How many automatic daily backups are kept; 0 for none.
# daily_backups = {daily_backups}

# Share of the pairs that come back hidden, sides swapped, to measure how consistent you are.
# repeat_share = {repeat_share}

# Share of an active order that is chosen at random, so that its saving can be measured.
# control_share = {control_share}

# How many labellers judge one pair; 0: everybody judges every pair.
# overlap = {overlap}

# Keys, by the id of their binding.
# [keymap]
# "label.first" = "1,j"
"""


def create_workspace(path: Path) -> Workspace:
    """Make a workspace in a new or existing folder; nothing already there is touched.

    Called again it changes nothing, so it is safe to repeat.
    """
    root = path.expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        workspace = Workspace(root.resolve())
        for folder in (workspace.runs, workspace.datasets, workspace.models, workspace.backups):
            folder.mkdir(exist_ok=True)
        if not workspace.settings.exists():
            text = _TEMPLATE.format_map(
                {setting.name: getattr(Settings(), setting.name) for setting in fields(Settings)}
            )
            partial = workspace.settings.with_suffix(".partial")
            partial.write_text(text, encoding="utf-8")
            partial.replace(workspace.settings)
    except OSError as error:
        raise RlftError(
            f"cannot make a workspace here: {error.strerror or error}".lower(),
            where=str(root),
            remedy="Name a folder that you may write to",
        ) from None
    return workspace
