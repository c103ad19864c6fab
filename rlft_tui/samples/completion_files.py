"""Completions as CSV or JSON lines; both are read again by everything that reads tables.

Parquet is written where Arrow is at hand: by the job itself (jobs/completions.py).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

import msgspec

from rlft_tui.errors import RlftError
from rlft_tui.samples.completion import Completion

FORMATS = ("csv", "jsonl", "parquet")
COLUMNS = ("prompt_id", "prompt", "category", "index", "seed", "text", "tokens", "ended")
"""Of every file; reward, a column for each reward, candidate and kept follow where they were asked for."""
Row = dict[str, str | int | float | bool | None]


def format_of(name: str, asked: str = "") -> str:
    """The format asked for, else that of the file's suffix; RlftError when it is neither."""
    if asked:
        if asked not in FORMATS:
            raise RlftError(f"no format {asked!r}", where="--format", remedy=f"One of {', '.join(FORMATS)}")
        return asked
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    form = {"ndjson": "jsonl", "pq": "parquet"}.get(suffix, suffix)
    if form not in FORMATS:
        raise RlftError(
            "cannot tell the format by the file's name",
            where=name,
            remedy=f"Name it …{', …'.join(f'.{each}' for each in FORMATS)}, or give --format",
        )
    return form


def columns_of(rewards: Sequence[str], *, candidates: bool) -> tuple[str, ...]:
    """The columns of a file: with ``rewards`` those of the rewards, with ``candidates`` all candidates'."""
    scored = ("reward", *(f"reward/{name}" for name in rewards if len(rewards) > 1)) if rewards else ()
    return (*COLUMNS, *scored, *(("candidate", "kept") if candidates else ()))


def row_of(completion: Completion, columns: Sequence[str]) -> Row:
    """A completion's values by column."""
    values = msgspec.structs.asdict(completion)
    parts = {f"reward/{name}": value for name, value in completion.rewards.items()}
    return {name: parts.get(name) if "/" in name else values[name] for name in columns}


def pieces(completions: Iterable[Completion], form: str, columns: Sequence[str]) -> Iterator[bytes]:
    """The file piece by piece, as UTF-8. CSV has a head and quotes what needs it (RFC 4180)."""
    if form == "jsonl":
        for one in completions:
            yield msgspec.json.encode(row_of(one, columns)) + b"\n"
        return
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, lineterminator="\r\n")
    writer.writeheader()
    for one in completions:
        writer.writerow({name: _cell(value) for name, value in row_of(one, columns).items()})
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if rest := buffer.getvalue():
        yield rest.encode()


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
