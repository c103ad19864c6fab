"""Options and arguments that several commands share, and how files are read and written."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError

Labeler = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Labeller [default: labeler in rlft.toml]")
]
Search = Annotated[str, typer.Option("--search", metavar="TEXT", help="Only rows that contain this text.")]
Category = Annotated[str, typer.Option("--category", metavar="NAME", help="Only rows of this category.")]
Offset = Annotated[int, typer.Option("--offset", min=0, metavar="N", help="Rows to leave out first.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="Rows at most.")]
InputFile = Annotated[Path, typer.Argument(metavar="FILE", help="File to read, or - for standard input.")]
SpecFile = Annotated[
    Path | None,
    typer.Option("--spec", metavar="FILE", help="TOML file with settings; flags override it."),
]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Run id, or a beginning of it that no other run has.")
]
WholeRunId = Annotated[str, typer.Argument(metavar="RUN", help="The whole run id.")]
"""For what cannot be taken back: a beginning may be that of another run tomorrow."""
RunIds = Annotated[list[str], typer.Argument(metavar="RUN...", help="Two runs or more.")]
Follow = Annotated[
    bool,
    typer.Option("--follow", "-f", help="Print progress on stderr and end with the run's exit code."),
]
Now = Annotated[
    bool, typer.Option("--now", help="Start at once, beside what is on the device; do not wait in line.")
]


def read_input(path: Path) -> tuple[str, bytes]:
    """Name and content of a file to import; RlftError when it cannot be read."""
    if str(path) == "-":
        import sys

        return "stdin.jsonl", sys.stdin.buffer.read()
    try:
        refuse_pipe(path)
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError("no such file", where=str(path), remedy="Check the name") from None
    except IsADirectoryError:
        raise RlftError("a folder, not a file", where=str(path), remedy="Name one file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RlftError(f"cannot be read: {reason}", where=str(path)) from None


def refuse_pipe(path: Path) -> None:
    """RlftError for what is neither file nor folder: a pipe may never begin, and a device never end."""
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise RlftError("not an ordinary file", where=str(path), remedy="Use - for standard input")


def write_file(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; an existing one is replaced only at the end."""
    write_pieces(path, [content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """``write_file`` of a content that comes piece by piece."""
    if path.is_dir():
        raise RlftError("a folder, not a file", where=str(path), remedy="Name a file in it")
    if path.exists() and not path.is_file():
        raise RlftError(
            "not an ordinary file", where=str(path), remedy="Name a file, or - for standard output"
        )
    target = path.resolve() if path.is_symlink() else path
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        try:
            with partial.open("xb") as stream:
                stream.writelines(pieces)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except FileNotFoundError:
        raise NotFoundError("no such folder", where=str(path.parent), remedy="Make it first") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnavailableError(f"cannot be written: {reason}", where=str(path)) from None
