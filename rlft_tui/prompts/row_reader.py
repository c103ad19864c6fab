"""Rows of an imported file, whatever its format, a few at a time."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import IO, Any, cast

import orjson

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.record import Record

MAX_LINE_BYTES = 16 * 2**20
"""A longer line is refused: it bounds the memory an import needs."""
MAX_FIELD_CHARACTERS = 4_000_000
"""What one CSV field may hold; a quote left open ends here and not at the end of the file."""
FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "txt",
}
_PARQUET_BATCH = 128
_BOM = b"\xef\xbb\xbf"
_PEEKED = 64
"""Bytes in which a JSON array has to begin."""
_ARRAY_BLOCK = 1 << 20
_STRUCTURE = re.compile(rb'[][{}",]')
_IN_TEXT = re.compile(rb'[\\\\"]')


class SourceRow(Record, frozen=True):
    """One record of a file: column to value, or the line itself (``{"prompt": line}``) of a text file."""

    line: int
    """First line is 1; a Parquet file or JSON array counts its rows instead."""
    values: dict[str, Any]


def file_format(name: str) -> str:
    """jsonl, csv, tsv, parquet or txt, by the file's name (.gz is looked through)."""
    path = PurePath(name)
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = PurePath(path.stem).suffix.lower()
    if suffix not in FORMATS:
        raise RlftError(
            f"cannot tell the format of a file called {suffix or 'without a suffix'}",
            where=path.name,
            remedy=f"Name it one of: {', '.join(FORMATS)} (each may end in .gz)",
        )
    return FORMATS[suffix]


def read_rows(name: str, path: Path) -> Iterator[SourceRow | LineReport]:
    """Each record of the file at ``path``, or why its line was refused; memory stays bounded.

    ``name`` is the file's own name and gives the format; gzip is recognised by content.
    Raises RlftError when the file as a whole cannot be read: nothing of it should be kept then.
    """
    kind = file_format(name)
    shown = PurePath(name).name
    try:
        if kind == "parquet":
            yield from _parquet_rows(shown, path)
            return
        with _open(shown, path) as stream:
            if kind == "jsonl":
                yield from _json_rows(shown, stream)
            elif kind == "txt":
                yield from _text_rows(stream)
            else:
                yield from _csv_rows(shown, stream, "\t" if kind == "tsv" else ",")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RlftError(
            f"the gzip file is cut short or damaged ({error})",
            where=shown,
            remedy="Fetch it again; nothing of it was imported",
        ) from None
    except FileNotFoundError:
        raise RlftError("no such file", where=shown) from None
    except OSError as error:
        raise UnavailableError(f"cannot read the file ({error.strerror})", where=shown) from None


def _open(name: str, path: Path) -> IO[bytes]:
    with path.open("rb") as head:
        magic = head.read(2)
    if magic in (b"\xff\xfe", b"\xfe\xff"):
        raise RlftError("the file is UTF-16", where=name, remedy="Save it as UTF-8")
    return cast(IO[bytes], gzip.open(path, "rb")) if magic == b"\x1f\x8b" else path.open("rb")


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines without their ends; None for one longer than MAX_LINE_BYTES."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while rest := stream.readline(MAX_LINE_BYTES):
                if rest.endswith(b"\n"):
                    break
            yield number, None
        else:
            yield number, line.rstrip(b"\r\n")


def _json_rows(name: str, stream: IO[bytes]) -> Iterator[SourceRow | LineReport]:
    beginning = cast(io.BufferedReader, stream).peek(_PEEKED)[:_PEEKED]
    if beginning.removeprefix(_BOM).lstrip(b" \t").startswith(b"["):
        yield from _array_rows(name, stream)
        return
    for number, line in _lines(stream):
        if line is None:
            yield _too_long(number)
        elif line.strip():
            yield _json_row(number, line)


def _json_row(number: int, line: bytes) -> SourceRow | LineReport:
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return LineReport(number, _json_reason(line, error))
    except RecursionError:
        return LineReport(number, "nested too deeply")
    if not isinstance(values, dict):
        return LineReport(number, f"is {_json_kind(values)}, not an object")
    return SourceRow(number, values)


def _json_reason(line: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as decoding:
        return f"not valid UTF-8 (byte {decoding.start + 1})"
    if "depth limit" in error.msg or "recursion" in error.msg:
        return "nested too deeply"
    if any(word in line for word in (b"NaN", b"Infinity")):
        return "not valid JSON: NaN and Infinity are no JSON values"
    return f"not valid JSON: {error.msg} (column {error.colno})"


def _json_kind(value: Any) -> str:
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def _array_rows(name: str, stream: IO[bytes]) -> Iterator[SourceRow | LineReport]:
    """The elements of a JSON array, one after the other: the array as a whole is never held."""
    for number, element in enumerate(array_elements(name, stream), 1):
        yield _too_long(number) if element is None else _json_row(number, element)


def array_elements(name: str, stream: IO[bytes]) -> Iterator[bytes | None]:
    """The text of each element; None for one longer than MAX_LINE_BYTES.

    Looks at quotes, brackets and commas only, so a bad element does not spoil the others.
    RlftError when the array does not end, or something follows it.
    """
    buffer = stream.read(_ARRAY_BLOCK).removeprefix(_BOM).lstrip()[1:]
    start = place = 0
    depth, quoted, too_long, first = 1, False, False, True
    while True:
        found = (_IN_TEXT if quoted else _STRUCTURE).search(buffer, place)
        if found is None:
            skipped = max(place - len(buffer), 0)
            buffer, start = buffer[start:], 0
            too_long = too_long or len(buffer) > MAX_LINE_BYTES
            buffer = b"" if too_long else buffer
            block = stream.read(_ARRAY_BLOCK)
            if not block:
                raise _bad_array(name, "it does not end")
            place = len(buffer) + skipped
            buffer += block
            continue
        sign, place = found[0], found.end()
        if sign == b"\\":
            place += 1
        elif sign == b'"':
            quoted = not quoted
        elif sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
        if depth == 0 or (sign == b"," and depth == 1):
            element = buffer[start : found.start()].strip()
            if element or too_long or not (first and depth == 0):
                yield None if too_long else element
            start, too_long, first = place, False, False
        if depth == 0:
            if sign != b"]" or buffer[place:].strip() or stream.read(_ARRAY_BLOCK).strip():
                raise _bad_array(name, "its brackets do not match")
            return


def _bad_array(name: str, reason: str) -> RlftError:
    return RlftError(f"not a valid JSON array: {reason}", where=name, remedy="Nothing of it was imported")


def _text_rows(stream: IO[bytes]) -> Iterator[SourceRow | LineReport]:
    for number, line in _lines(stream):
        if line is None:
            yield _too_long(number)
            continue
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            yield LineReport(number, f"not valid UTF-8 (byte {error.start + 1})")
            continue
        if text:
            yield SourceRow(number, {"prompt": text})


def _csv_rows(name: str, stream: IO[bytes], delimiter: str) -> Iterator[SourceRow | LineReport]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        header = [column.strip() for column in next(reader)]
    except StopIteration:
        return
    except csv.Error as error:
        raise RlftError(f"the header cannot be read: {error}", where=name) from None
    if doubled := [column for column in header if column and header.count(column) > 1]:
        raise RlftError(f"the header names {doubled[0]!r} twice", where=name)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield LineReport(line, f"not valid CSV: {error}")
            continue
        if not fields:
            continue
        if len(fields) != len(header):
            yield LineReport(line, f"has {len(fields)} columns where the header has {len(header)}")
        elif any("\udc80" <= letter <= "\udcff" for field in fields for letter in _escapes(field)):
            yield LineReport(line, "not valid UTF-8")
        else:
            yield SourceRow(line, dict(zip(header, fields, strict=True)))


def _escapes(field: str) -> str:
    """The field if it may hold an escaped byte; empty (at once) for the usual ASCII field."""
    return "" if field.isascii() else field


def _parquet_rows(name: str, path: Path) -> Iterator[SourceRow | LineReport]:
    import duckdb

    connection = duckdb.connect(":memory:", config={"memory_limit": "300MB", "threads": 1})
    try:
        result = connection.execute("select * from read_parquet($1)", [str(path)])
        columns = [column[0] for column in result.description or ()]
        number = 0
        while rows := result.fetchmany(_PARQUET_BATCH):
            for row in rows:
                number += 1
                yield SourceRow(number, dict(zip(columns, row, strict=True)))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].replace(str(path), name)
        raise RlftError(
            f"not a readable Parquet file ({reason})", where=name, remedy="Nothing of it was imported"
        ) from None
    finally:
        connection.close()


def _too_long(number: int) -> LineReport:
    return LineReport(number, f"longer than {MAX_LINE_BYTES // 2**20} MB")
