"""A data set on disk: ``train.jsonl``, ``heldout.jsonl`` and ``dataset.json`` in a folder named by hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import orjson

from rlft_tui.datasets.dataset import KINDS, Dataset, DatasetKind, DatasetSpec
from rlft_tui.datasets.rows import ROW_TYPES, PromptRow, Row
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError

TRAIN = "train.jsonl"
HELDOUT = "heldout.jsonl"
MANIFEST = "dataset.json"
HASH_DIGITS = 12
_FORMATS: dict[DatasetKind, str] = {
    "preference": "TRL conversational preference: prompt, chosen, rejected",
    "sft": "TRL conversational prompt-completion: prompt, completion",
    "unpaired": "TRL conversational unpaired preference: prompt, completion, label",
    "scored": "prompt and completion as TRL has them, with the score that a reward model learns",
    "prompts": "TRL conversational prompt-only: prompt and columns for the rewards",
}
_OWN = set(PromptRow.__struct_fields__) - {"columns"}


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


def encode_rows(rows: Sequence[Row]) -> bytes:
    """JSON lines, the same bytes for the same rows."""
    return b"".join(_encode(row) + b"\n" for row in rows)


def _encode(row: Row) -> bytes:
    if isinstance(row, PromptRow):
        own = {"prompt": row.prompt, "example_id": row.example_id, "category": row.category}
        return orjson.dumps(own | row.columns)
    text = orjson.dumps(row, default=msgspec.to_builtins)
    # A file without strengths is the same file, of the same hash, as before there were any.
    for nothing in (b',"margin":null}', b',"score":null}'):
        if text.endswith(nothing):
            return text.removesuffix(nothing) + b"}"
    return text


def read_rows(path: Path, kind: DatasetKind) -> Iterator[Row]:
    """Rows of a train.jsonl or heldout.jsonl; RlftError names the line that is damaged."""
    decode = _decode_prompt if kind == "prompts" else msgspec.json.Decoder(ROW_TYPES[kind]).decode
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    row = decode(line)
                    if not row.prompt:
                        raise msgspec.ValidationError("the prompt has no messages")
                    yield row
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    what = f"not a {kind.removesuffix('s')} row"
                    raise RlftError(f"{what}: {error}", where=f"{path}:{number}") from None
    except FileNotFoundError:
        raise NotFoundError("no data set here", where=str(path), remedy="rlft data build makes one") from None


def _decode_prompt(line: bytes) -> PromptRow:
    values = msgspec.json.decode(line, type=dict[str, Any])
    columns = {name: value for name, value in values.items() if name not in _OWN}
    own = {name: value for name, value in values.items() if name in _OWN}
    return msgspec.convert({**own, "columns": columns}, PromptRow)


def read_kind(folder: Path) -> DatasetKind:
    """What the rows of a data set's folder, or of a run's copy of it, are."""
    try:
        kind = orjson.loads((folder / MANIFEST).read_bytes()).get("kind", "preference")
    except FileNotFoundError:
        # Folders made by hand, and those of the first versions, hold preferences.
        return "preference"
    except (ValueError, AttributeError):
        raise RlftError("its description is damaged", where=str(folder / MANIFEST)) from None
    if kind not in KINDS:
        raise RlftError(f"a data set of unknown kind {kind!r}", where=str(folder / MANIFEST))
    return cast(DatasetKind, kind)


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
        "kind": dataset.kind,
        "format": _FORMATS[dataset.kind],
    }
    return orjson.dumps(values, default=msgspec.to_builtins, option=orjson.OPT_INDENT_2) + b"\n"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
