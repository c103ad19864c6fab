"""A run's own copy of the reward files it was launched with: editing them later changes no run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.rewards.built_in import check_options
from rlft_tui.rewards.exact_answer import ExactAnswerReward
from rlft_tui.rewards.occupational import Occupational
from rlft_tui.rewards.python_file import columns_asked
from rlft_tui.rewards.source import parse_source
from rlft_tui.rewards.term_files import term_file

MOST_MB = 64
"""Size that a rewards folder may have."""


def file_in(folder: Path, name: str) -> Path:
    """The Python file of that name in a rewards folder; ``rewards/mine.py`` and ``mine.py`` are the same.

    RlftError for one that lies elsewhere: a run takes its rewards from its workspace.
    """
    given = Path(name)
    parts = given.parts[1:] if len(given.parts) > 1 and given.parts[0] == folder.name else given.parts
    path = folder.joinpath(*parts).resolve()
    if given.is_absolute() or not path.is_relative_to(folder.resolve()):
        raise RlftError(
            "a run takes its rewards from the workspace",
            where=name,
            remedy=f"Copy the file into {folder} and name it rewards/{given.name}",
        )
    if not path.is_file():
        raise NotFoundError("no such file", where=str(path), remedy="rlft rewards list shows what there is")
    return path


def freeze(
    rewards: Sequence[tuple[str, Mapping[str, Any]]],
    folder: Path,
    target: Path,
    *,
    columns: frozenset[str] | None = None,
) -> None:
    """Check the sources (with their options) and copy what they need from the workspace's ``folder``.

    ``columns`` are those of the data set, None where they are not known. RlftError before anything is
    copied when a file, a function, a term or a column is missing or not right.
    """
    python = False
    terms: set[Path] = set()
    for source, options in rewards:
        parsed = parse_source(source)
        needed: frozenset[str] = frozenset()
        if parsed.kind == "file":
            needed = columns_asked(file_in(folder, parsed.name), parsed.function)
            python = True
        elif parsed.kind == "builtin":
            asked = check_options(parsed.name, options)
            if isinstance(asked, ExactAnswerReward):
                needed = frozenset({asked.column})
            if isinstance(asked, Occupational):
                asked.load(folder)
                terms |= {term_file(name, folder) for name in (asked.agentic, asked.communal)}
        if columns is not None and (missing := sorted(needed - columns)):
            raise RlftError(
                f"reward {source} needs a column {missing[0]!r}, which the data set does not have",
                remedy="rlft data import FILE --kind prompts keeps the columns of a file",
            )
    if python:
        _check_size(folder)
        shutil.copytree(
            folder, target, ignore=shutil.ignore_patterns("__pycache__", ".*"), dirs_exist_ok=True
        )
    if terms:
        target.mkdir(exist_ok=True)
        for path in terms:
            if not (target / path.name).exists():
                shutil.copyfile(path, target / path.name)


def _check_size(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MOST_MB << 20:
        raise RlftError(
            f"{size >> 20} MB of files, and every run copies them",
            where=str(folder),
            remedy=f"Keep it under {MOST_MB} MB: read larger files by their full path",
        )
