"""Lists of terms as text files: one a line, ``#`` begins a comment. Shipped, and copied to be edited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.paths import PACKAGE
from rlft_tui.rewards.reward_function import words

_MOST_BYTES = 10_000_000

Term = tuple[str, ...]
"""The words of a term, as ``words()`` gives them."""


@dataclass(frozen=True, slots=True)
class TermFile:
    """The terms in a file, each with its line."""

    path: Path
    terms: dict[Term, int]


def shipped_terms() -> list[Path]:
    """The term files that come with the program: inside an installed package, or beside it in a checkout."""
    for data in (PACKAGE / "data", PACKAGE.parent / "data"):
        if found := sorted((data / "rewards").glob("*_terms.txt")):
            return found
    raise NotFoundError("the term files are missing", where=str(PACKAGE), remedy="Install rlft_tui again")


def copy_terms(folder: Path) -> list[Path]:
    """Copy the shipped term files into a workspace's rewards folder; those there already stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = []
    for shipped in shipped_terms():
        target = folder / shipped.name
        if not target.exists():
            partial = target.with_suffix(".partial")
            partial.write_bytes(shipped.read_bytes())
            partial.replace(target)
            copied.append(target)
    return copied


def term_file(name: str, folder: Path | None) -> Path:
    """The file of that name: in ``folder``, else the shipped one. An absolute path is taken as it is."""
    places = [folder] if folder is not None else []
    for path in (*(place / name for place in places), *(p for p in shipped_terms() if p.name == name)):
        if path.is_file():
            return path
    raise NotFoundError(
        "no such term file",
        where=str((folder or Path()) / name),
        remedy="rlft rewards new occupational copies the shipped ones into the workspace's rewards/",
    )


def read_terms(name: str, folder: Path | None) -> TermFile:
    """The terms of a file; RlftError names the line that is no term."""
    path = term_file(name, folder)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RlftError(f"more than {_MOST_BYTES // 1_000_000} MB of terms", where=str(path))
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RlftError("no UTF-8 text", where=str(path), remedy="Save the terms as UTF-8") from None
    except OSError as error:
        raise RlftError(f"cannot be read: {error.strerror}", where=str(path)) from None
    terms: dict[Term, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        term = tuple(words(content))
        if not term:
            raise RlftError(f"{content!r} has no word in it", where=f"{path}:{number}")
        terms.setdefault(term, number)
    if not terms:
        raise RlftError("there is no term in it", where=str(path), remedy="Write one term a line")
    return TermFile(path, terms)
