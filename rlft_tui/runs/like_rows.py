"""Rows of an event log that differ only in their numbers, read all at once.

A long log is nearly all such rows: the first of them says where in its text the numbers stand, numpy
looks whether every other row has the same text around its own, and only the numbers are parsed, a column
at a time. Whatever differs otherwise is left to be read line by line, so nothing is taken for a row that
is none.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rlft_tui.runs.run_event import MetricsColumns

FEWEST = 16
"""Like rows below which it is quicker to read them one by one."""
_WINDOW = 32
"""Bytes in which a number and what follows it are looked for; a double takes up to 24."""
_BYTES = f"V{_WINDOW}"
"""A window as one item: those are picked five times as fast as rows of bytes."""
_MOST_COLUMNS = 256
"""A log with more metrics in a row is read row by row."""
_MOST_TRIES = 4
"""Rows of a block that nothing else was like, after which the rest of it is read line by line."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[-+.\deE]*')
"""A string, with the colon where it is a name; or a number."""
_CONSTANT = ("v", "steps", "units")
"""Where these differ, the rows are not alike."""

Positions = NDArray[np.int64]
Path = tuple[str, ...]
_floats = msgspec.json.Decoder(list[float])
_integers = msgspec.json.Decoder(list[int])


class _Number(NamedTuple):
    path: Path
    text: bytes
    """What stands before it, from the last number that varies on."""
    follows: int
    """The byte after it: a comma or a brace."""


class _Pattern(NamedTuple):
    """What like rows have in common."""

    row: dict[str, Any]
    """The first of them."""
    numbers: tuple[_Number, ...]
    """Those that vary, in the order in which they stand."""
    end: bytes
    """The text after the last one, its newline included."""


class _Rows(NamedTuple):
    """Where rows that fit a pattern were found."""

    lines: Positions
    """Which lines of the block they are."""
    windows: NDArray[np.uint8]
    """(numbers, rows, _WINDOW): the bytes from each number on."""
    lengths: Positions
    """(numbers, rows): how many of those bytes are the number."""

    def text(self, number: int) -> bytes:
        """What each row has in place of this number, as a JSON array."""
        window, length = self.windows[number], self.lengths[number]
        width = int(length.max()) + 1
        if int(length.min()) + 1 < width:
            keep, blanks = _masks()
            words = window.view(np.uint64)
            words &= keep[length].view(np.uint64).reshape(words.shape)
            words |= blanks[length].view(np.uint64).reshape(words.shape)
        letters: NDArray[np.uint8] = window[:, :width].copy()
        letters[:, -1] = ord(",")
        letters[-1, -1] = ord("]")
        return b"[" + letters.tobytes()


def read_columns(block: bytes) -> Iterator[tuple[int, MetricsColumns | None]]:
    """Complete lines as stretches: where each ends in the block, and its columns; None for lines that are to
    be read one by one."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    said = 0
    for first, last, columns in _stretches(block, ends):
        if first > said:
            yield int(ends[first - 1]), None
        yield int(ends[last]), columns
        said = last + 1
    if said < len(ends):
        yield len(block), None


def _stretches(block: bytes, ends: Positions) -> Iterator[tuple[int, int, MetricsColumns]]:
    """Neighbouring like rows: the first and last line, and what they say."""
    starts = np.concatenate(([0], ends[:-1]))
    last_line = block[starts[-1] :] if len(ends) else b""
    at = tries = 0
    while len(ends) - at >= FEWEST and tries < _MOST_TRIES:
        line = block[starts[at] : ends[at]]
        pattern = _pattern(line, last_line) if b'"metrics"' in line else None
        rows = None if pattern is None else _matching(block, starts, ends, at, pattern)
        if pattern is None or rows is None or len(rows.lines) < FEWEST:
            at, tries = at + 1, tries + (b'"metrics"' in line)
            continue
        at = int(rows.lines[-1]) + 1
        breaks = np.flatnonzero(np.diff(rows.lines) > 1) + 1
        parts = [*pairwise((0, *breaks.tolist(), len(rows.lines)))]
        if max(end - begin for begin, end in parts) < FEWEST:
            continue
        try:
            columns = _columns(pattern, rows)
        except (msgspec.MsgspecError, struct.error, ValueError):
            return
        for begin, end in parts:
            if end - begin >= FEWEST:
                yield int(rows.lines[begin]), int(rows.lines[end - 1]), _part(columns, begin, end)


def _pattern(line: bytes, other: bytes) -> _Pattern | None:
    """What rows like this one have in common; None where it is no row of plain numbers.

    ``other``: a row of the same run, from which is seen whether the memory changes.
    """
    row = _row(line)
    if row is None:
        return None
    paths = list(_number_paths(row))
    found = list(_TOKEN.finditer(line))
    tokens = [token for token in found if not token[0].startswith(b'"')]
    names = sum(token[1] is not None for token in found)
    # A name that is there twice would give numbers to others.
    if len(tokens) != len(paths) or names != _count_names(row):
        return None
    later = _row(other)
    settled = later is not None and later.get("memory_mb") == row.get("memory_mb")
    numbers, begin = [], 0
    for path, token in zip(paths, tokens, strict=True):
        if path[0] in _CONSTANT or (path[0] == "memory_mb" and settled):
            continue
        numbers.append(_Number(path, line[begin : token.start()], line[token.end()]))
        begin = token.end()
    return _Pattern(row, tuple(numbers), line[begin:])


def _row(line: bytes) -> dict[str, Any] | None:
    """A well-formed ``metrics`` line whose values are all numbers; None for any other."""
    try:
        row = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if type(row) is not dict or row.get("kind") != "metrics":
        return None
    values, units = row.get("values"), row.get("units")
    is_row = (
        type(row.get("v")) is int
        and type(row.get("t")) in (int, float)
        and type(row.get("step")) is int
        and type(row.get("steps")) in (int, type(None))
        and type(row.get("memory_mb")) in (int, float, type(None))
        and type(units) in (dict, type(None))
        and type(values) is dict
        and len(values) <= _MOST_COLUMNS
        and all(type(value) in (int, float) for value in values.values())
    )
    return row if is_row and not any(type(value) is list for value in row.values()) else None


def _number_paths(value: dict[str, Any], above: Path = ()) -> Iterator[Path]:
    for name, inner in value.items():
        if type(inner) is dict:
            yield from _number_paths(inner, (*above, name))
        elif type(inner) in (int, float):
            yield (*above, name)


def _count_names(value: dict[str, Any]) -> int:
    return len(value) + sum(_count_names(inner) for inner in value.values() if type(inner) is dict)


def _matching(block: bytes, starts: Positions, ends: Positions, at: int, pattern: _Pattern) -> _Rows:
    """The lines from ``at`` on that have the pattern's text around their numbers."""
    longest = max(len(pattern.end), *(len(number.text) for number in pattern.numbers))
    padded = block + bytes(longest + 2 * _WINDOW)
    lines = np.arange(at, len(ends))
    while len(lines):
        windows = np.empty((len(pattern.numbers), len(lines), _WINDOW), np.uint8)
        lengths = np.empty(windows.shape[:2], np.int64)
        fit = _fit(padded, starts[lines], ends[lines], pattern, windows, lengths)
        if fit is None:
            return _Rows(lines, windows, lengths)
        lines = lines[fit]
    return _Rows(lines, np.empty((0, 0, _WINDOW), np.uint8), np.empty((0, 0), np.int64))


def _fit(
    block: bytes,
    at: Positions,
    ends: Positions,
    pattern: _Pattern,
    windows: NDArray[np.uint8],
    lengths: Positions,
) -> NDArray[np.bool_] | None:
    """Find each number of the lines that begin ``at``; None when all fit, or else which did so far."""
    for number, window, length in zip(pattern.numbers, windows, lengths, strict=True):
        if (fit := _stands(number.text, block, at)) is not None:
            return fit
        begin = at + len(number.text)
        window.view(_BYTES)[:, 0] = _looked_at(block, _WINDOW)[begin]
        length[:] = (window == number.follows).argmax(axis=1)
        # Zero: what follows it is not there. Names of infinities, null and the like begin otherwise.
        numeric: NDArray[np.bool_] = (length > 0) & (window[:, 0] >= ord("-")) & (window[:, 0] <= ord("9"))
        if not numeric.all():
            return numeric
        at = begin + length
    if (fit := _stands(pattern.end, block, at)) is not None:
        return fit
    whole = at + len(pattern.end) == ends
    return None if whole.all() else whole


def _stands(text: bytes, block: bytes, at: Positions) -> NDArray[np.bool_] | None:
    """None when this text stands in all of these places, or else in which."""
    found = _looked_at(block, len(text))[at]
    if found.tobytes() == text * len(at):
        return None
    letters = found.view(np.uint8).reshape(len(at), len(text))
    same: NDArray[np.bool_] = (letters == np.frombuffer(text, np.uint8)).all(axis=1)
    return same


def _looked_at(block: bytes, size: int) -> NDArray[np.void]:
    """Every ``size`` neighbouring bytes of the block, in place."""
    return np.ndarray((len(block) - size + 1,), f"V{size}", block, strides=(1,))


def _columns(pattern: _Pattern, rows: _Rows) -> MetricsColumns:
    """MsgspecError, ValueError or struct.error where a number is none that a row may have."""
    places = {number.path: at for at, number in enumerate(pattern.numbers)}
    count, step = len(rows.lines), places.pop(("step",))
    steps = packed("q", _parsed(_integers, rows.text(step), count))
    parsed = {path: packed("d", _parsed(_floats, rows.text(at), count)) for path, at in places.items()}
    total, memory = pattern.row.get("steps"), pattern.row.get("memory_mb")
    return MetricsColumns(
        steps=steps,
        times=parsed["t",],
        values={key: parsed["values", key] for key in pattern.row["values"]},
        units=pattern.row.get("units") or {},
        total=total if total is not None and total > 0 else None,
        memory_mb=max(parsed.get(("memory_mb",), (memory,))),
    )


def _parsed(decoder: msgspec.json.Decoder[Any], text: bytes, count: int) -> list[Any]:
    """One number a row."""
    numbers: list[Any] = decoder.decode(text)
    if len(numbers) != count:
        raise ValueError("more than a number in a row")
    return numbers


@lru_cache(maxsize=1)
def _masks() -> tuple[NDArray[np.void], NDArray[np.void]]:
    """By the length of a number: which bits of its window are kept, and the blanks that follow it."""
    inside = np.arange(_WINDOW) < np.arange(_WINDOW)[:, None]
    keep = np.where(inside, 255, 0).astype(np.uint8)
    blanks = np.where(inside, 0, ord(" ")).astype(np.uint8)
    return keep.view(_BYTES).ravel(), blanks.view(_BYTES).ravel()


def packed(kind: Literal["q", "d"], numbers: list[Any]) -> array[Any]:
    """The numbers as an array, in half the time that ``array`` takes; struct.error for one too large."""
    return array(kind, struct.pack(f"{len(numbers)}{kind}", *numbers))


def _part(columns: MetricsColumns, begin: int, end: int) -> MetricsColumns:
    if (begin, end) == (0, len(columns)):
        return columns
    return MetricsColumns(
        steps=columns.steps[begin:end],
        times=columns.times[begin:end],
        values={key: column[begin:end] for key, column in columns.values.items()},
        units=columns.units,
        total=columns.total,
        memory_mb=columns.memory_mb,
    )
