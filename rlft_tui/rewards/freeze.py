"""A run's own copy of the reward files it was launched with: editing them later changes no run."""

from __future__ import annotations

import os
import shutil
import stat
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

MOST_MB = 10
"""What a run copies at most of a rewards folder."""
_MOST_ENTRIES = 10_000
"""Files and folders looked at: a link may lead into a whole home folder."""
_COPIED = frozenset({".py", ".txt", ".toml", ".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml"})
"""Modules and small texts beside them; anything else is read by its full path."""


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
    files: tuple[Path, ...] = ()
    terms: set[Path] = set()
    for source, options in rewards:
        parsed = parse_source(source)
        needed: frozenset[str] = frozenset()
        if parsed.kind == "file":
            file = file_in(folder, parsed.name)
            files = files or _files_to_copy(folder)
            needed = columns_asked(file, parsed.function)
        elif parsed.kind == "builtin":
            asked = check_options(parsed.name, options)
            if isinstance(asked, ExactAnswerReward):
                needed = frozenset({asked.column})
            if isinstance(asked, Occupational):
                asked.load(folder)
                terms |= {term_file(name, folder) for name in (asked.agentic, asked.communal)}
        if columns is not None and (missing := sorted(needed - columns)):
            where = "the data set does" if columns else "the prompts do"
            raise RlftError(
                f"reward {source} needs a column {missing[0]!r}, which {where} not have",
                remedy="rlft data import FILE --kind prompts keeps the columns of a file",
            )
    for path in files:
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    if terms:
        target.mkdir(exist_ok=True)
        for path in terms:
            if not (target / path.name).exists():
                shutil.copyfile(path, target / path.name)


def _files_to_copy(folder: Path) -> tuple[Path, ...]:
    """The modules and texts in a rewards folder; RlftError names the file that is none, or is too much.

    Links are followed to regular files and to folders, never to a device or a pipe.
    """
    sizes: dict[Path, int] = {}
    been: set[Path] = set()
    entries = 0
    for root, below, names in os.walk(folder, followlinks=True):
        here = Path(root)
        below[:] = sorted(name for name in below if name[0] != "." and name != "__pycache__")
        entries += len(below) + len(names)
        if entries > _MOST_ENTRIES:
            raise RlftError(
                f"more than {_MOST_ENTRIES} files, and every run looks through them",
                where=str(here),
                remedy="Keep data elsewhere and read it by its full path",
            )
        if (resolved := here.resolve()) in been:
            below.clear()
            continue
        been.add(resolved)
        for name in sorted(names):
            path = here / name
            if name[0] != "." and path.suffix in _COPIED:
                sizes[path] = _regular_size(path)
    if (total := sum(sizes.values())) > MOST_MB * 1_000_000:
        largest = max(sizes, key=sizes.__getitem__)
        raise RlftError(
            f"{total / 1e6:.0f} MB of files in {folder.name}/, this one the largest; a run copies at most "
            f"{MOST_MB} MB",
            where=str(largest),
            remedy="Keep large files elsewhere and read them by their full path",
        )
    return tuple(sizes)


def _regular_size(path: Path) -> int:
    try:
        found = path.stat()
    except OSError as error:
        what = f"cannot be copied: {(error.strerror or str(error)).lower()}"
        raise RlftError(what, where=str(path), remedy="Take it out of the folder") from None
    if not stat.S_ISREG(found.st_mode):
        what = "not a regular file, so a run cannot copy it"
        raise RlftError(what, where=str(path), remedy="Take it out of the folder")
    return found.st_size
