"""Where pairs are imported from: a file, standard input, a saved data set or one on the hub."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rlft_tui.cli.options import refuse_pipe
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.prompts.row_reader import FORMATS

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_BLANK = b" \t\r\n"
_SAVED = ("state.json", "dataset_dict.json")


@contextmanager
def import_source(source: str, split: str = "") -> Iterator[tuple[str, Path]]:
    """Name and file of what ``source`` names; RlftError when it cannot be read."""
    path = Path(source).expanduser()
    if not source:
        raise RlftError("no file is named: the name is empty")
    if source == "-":
        with tempfile.NamedTemporaryFile(prefix="rlft-import-") as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.flush()
            refuse_empty(Path(spool.name), "standard input")
            yield "stdin.jsonl", Path(spool.name)
    elif path.is_dir():
        single = None if split else _only_file(path)
        if single is not None:
            refuse_empty(single, str(single))
            yield single.name, single
        else:
            with _converted(str(path), split) as lines:
                yield f"{path.resolve().name}.jsonl", lines
    elif path.exists():
        _check_readable(path)
        refuse_empty(path, source)
        yield path.name, path
    elif _is_hub_id(source):
        with _converted(source, split) as lines:
            yield f"{source.replace('/', '--')}.jsonl", lines
    else:
        raise NotFoundError("no such file", where=source, remedy="Check the name")


def refuse_empty(content: bytes | Path, where: str) -> None:
    """RlftError for a file with nothing in it but blank lines, or that cannot be read."""
    try:
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
            pieces = iter(lambda: stream.read(1 << 16), b"")
            if not any(piece.strip(b"\xef\xbb\xbf" + _BLANK) for piece in pieces):
                raise RlftError("the file is empty", where=where)
    except OSError as error:
        raise _unreadable(error, where) from None


def run_dataset_job(*arguments: str) -> int:
    """Run jobs/dataset_rows.py; the number of rows it printed. RlftError with its last line."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rlft_tui.jobs.dataset_rows", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RlftError(said[-1] if said else f"reading the data set ended with exit code {done.returncode}")
    return int(done.stdout.split()[-1])


@contextmanager
def _converted(source: str, split: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rlft-import-") as scratch:
        lines = Path(scratch) / "rows.jsonl"
        run_dataset_job("read", source, str(lines), *([split] if split else []))
        yield lines


def _only_file(folder: Path) -> Path | None:
    """The one data file of a folder that is no saved data set."""
    if any((folder / name).is_file() for name in _SAVED):
        return None
    found = [path for path in folder.iterdir() if path.is_file() and _has_known_suffix(path)]
    return found[0] if len(found) == 1 else None


def _has_known_suffix(path: Path) -> bool:
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    return suffix.lower() in FORMATS and suffix.lower() != ".txt"


def _is_hub_id(source: str) -> bool:
    return "/" in source and _HUB_ID.fullmatch(source) is not None and not _has_known_suffix(Path(source))


def _check_readable(path: Path) -> None:
    refuse_pipe(path)
    try:
        path.open("rb").close()
    except OSError as error:
        raise _unreadable(error, str(path)) from None


def _unreadable(error: OSError, where: str) -> RlftError:
    return RlftError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=where)
