"""A data set on disk: ``train.jsonl``, ``heldout.jsonl`` and ``dataset.json`` in a folder named by hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError

TRAIN = "train.jsonl"
HELDOUT = "heldout.jsonl"
MANIFEST = "dataset.json"
HASH_DIGITS = 12
_NO_MARGIN = b',"margin":null}'


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One row in TRL's conversational preference format, and where it came from."""

    prompt: list[dict[str, str]]
    """Messages up to and with the user's last turn."""
    chosen: list[dict[str, str]]
    """One assistant message."""
    rejected: list[dict[str, str]]
    example_id: str
    category: str
    margin: float | None = None
    """How much better (0 to 1), as TRL's reward trainer reads it; in all rows of a file or in none."""


def content_hash(train: bytes, heldout: bytes) -> str:
    """First 12 hex digits of the SHA-256 over both files, each preceded by its length (8 bytes)."""
    state = hashlib.sha256()
    for content in (train, heldout):
        state.update(len(content).to_bytes(8, "little"))
        state.update(content)
    return state.hexdigest()[:HASH_DIGITS]


def folder_hash(folder: Path) -> str:
    """The hash of the files in a data set's folder or in a run's copy of it."""
    try:
        return content_hash((folder / TRAIN).read_bytes(), (folder / HELDOUT).read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError("no data set here", where=str(error.filename or folder)) from None


def encode_rows(rows: Sequence[DatasetRow]) -> bytes:
    """JSON lines, the same bytes for the same rows."""
    return b"".join(_encode(row) + b"\n" for row in rows)


def _encode(row: DatasetRow) -> bytes:
    # A file without strengths is the same file, of the same hash, as before there were any.
    return orjson.dumps(row) if row.margin is not None else orjson.dumps(row)[: -len(_NO_MARGIN)] + b"}"


def read_dataset_rows(path: Path) -> Iterator[DatasetRow]:
    """Rows of a train.jsonl or heldout.jsonl; RlftError names the line that is damaged."""
    decoder = msgspec.json.Decoder(DatasetRow)
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise RlftError(f"not a data set row: {error}", where=f"{path}:{number}") from None
    except FileNotFoundError:
        raise NotFoundError("no data set here", where=str(path)) from None


def write_dataset(folder: Path, dataset: Dataset, spec: DatasetSpec, train: bytes, heldout: bytes) -> None:
    """Put a data set in place, whole or not at all. A sound one that is there already is kept."""
    if _is_sound(folder, dataset.hash):
        return
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(partial / TRAIN, train)
        _write(partial / HELDOUT, heldout)
        _write(partial / MANIFEST, _manifest(dataset, spec))
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UnavailableError(
            f"the data set cannot be written ({error.strerror})",
            where=str(folder.parent),
            remedy="Free some space, then build it again",
        ) from None


def _is_sound(folder: Path, expected: str) -> bool:
    with contextlib.suppress(NotFoundError):
        return (folder / MANIFEST).is_file() and folder_hash(folder) == expected
    return False


def _manifest(dataset: Dataset, spec: DatasetSpec) -> bytes:
    values: dict[str, Any] = {
        "hash": dataset.hash,
        "name": dataset.name,
        "train_rows": dataset.train_rows,
        "heldout_rows": dataset.heldout_rows,
        "created_at": dataset.created_at,
        "left_out": dataset.left_out,
        "spec": spec,
        "format": "TRL conversational preference: prompt, chosen, rejected",
    }
    return orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
