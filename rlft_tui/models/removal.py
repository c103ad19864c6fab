"""Taking a model's files away in one step, or not at all."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rlft_tui.errors import UnavailableError
from rlft_tui.models.model import Model
from rlft_tui.record import Record

_MARK = ".deleted-"


class Removal(Record, frozen=True):
    """What the removal of a model would do."""

    name: str
    folder: str
    """That is deleted; empty where the model is only forgotten."""
    frees: int
    """Bytes."""
    rests: tuple[str, ...]
    """What still needs it, a line each: then it is not removed."""
    stays: tuple[str, ...] = ()
    """What is kept, a line each."""


def rests_on(model: Model, folder: Path, known: Iterable[Model]) -> list[str]:
    """Models that sit on the files of one, and the policy whose current version it is."""
    found = [f"model {one.name} sits on it" for one in known if _sits_on(one, model, folder)]
    if model.current_of:
        found.append(f"it is the current version of policy {model.current_of}")
    return found


def is_inside(path: str, folder: Path) -> bool:
    """Whether a path is this folder or lies in it."""
    return bool(path) and (Path(path) == folder or Path(path).is_relative_to(folder))


def _sits_on(one: Model, model: Model, folder: Path) -> bool:
    if one.name == model.name:
        return False
    return one.base == model.name or is_inside(one.base_path, folder)


@contextmanager
def taken_away(folder: Path | None) -> Iterator[None]:
    """Out of sight at once; put back when the block fails, off the disk when it went well.

    UnavailableError when the folder cannot be moved.
    """
    if folder is None or not folder.exists():
        yield
        return
    grave = folder.with_name(f"{_MARK}{folder.name}~{secrets.token_hex(4)}")
    try:
        folder.rename(grave)
    except OSError as error:
        raise UnavailableError(f"it cannot be removed: {error.strerror}", where=str(folder)) from None
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            grave.rename(folder)
        raise
    shutil.rmtree(grave, ignore_errors=True)


def settle_removals(parents: Iterable[Path], is_known: Callable[[Path], bool]) -> None:
    """Finish or undo what a server that died left half done; ``is_known``: a model still lies there."""
    for parent in parents:
        for grave in sorted(parent.glob(f"{_MARK}*~*")):
            folder = grave.with_name(grave.name.removeprefix(_MARK).rpartition("~")[0])
            if is_known(folder) and not folder.exists():
                with contextlib.suppress(OSError):
                    grave.rename(folder)
            else:
                shutil.rmtree(grave, ignore_errors=True)
