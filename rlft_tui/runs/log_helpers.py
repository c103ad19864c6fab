"""The back of a long event log, read by other processes while this one reads the front.

The log is cut into parts. Its reader takes one after another from the front; each helper is handed
parts from the back, two at a time, until they meet. What a helper made of a part lies in a file
that has no name; only who has done what goes through pipes. A helper that dies leaves its parts
to be read here like any others.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.record import Record
from rlft_tui.runs.log_file import open_log
from rlft_tui.runs.machine import own_cores
from rlft_tui.runs.run_event import MetricsColumns, end_of_line, read_columns

SMALLEST = 32 << 20
"""Bytes to be read below which helpers are not worth their start."""
PART = 1 << 20
"""Bytes of a part: few enough that nobody waits long for the last one."""
_MOST_HELPERS = 3
_AT_A_TIME = 2
"""Parts that a helper has been handed, so that it need not wait for the next one."""
_LONGEST_LINE = 1 << 16
_PATIENCE_SECONDS = 2.0
"""A hundred times as long as a part takes; a helper that says nothing for so long is given up."""


class _Piece(Record, frozen=True):
    """What stands in the log up to ``end``, as columns where it could be read so."""

    end: int
    last: bytes
    """The end of its last line."""
    columns: _Columns | None


class _Columns(Record, frozen=True):
    """``MetricsColumns`` with native 64-bit integers and doubles as bytes."""

    steps: bytes
    times: bytes
    values: dict[str, bytes]
    units: dict[str, Any]
    total: int | None
    memory_mb: float | None


_pieces = msgspec.msgpack.Decoder(list[_Piece])


class LogHelpers:
    """Helpers for one reading of a log from ``begin`` on; a context manager."""

    def __init__(self, path: Path, begin: int) -> None:
        """Raises OSError when the log cannot be read."""
        with open_log(path) as log:
            self.inode = os.fstat(log.fileno()).st_ino
            self._ends = _part_ends(log.fileno(), begin)
            self._begins = [begin, *self._ends[:-1]]
            self._front = 0
            """The first part that nobody has."""
            self._back = len(self._ends)
            """The first part of those that helpers have."""
            count = min(_MOST_HELPERS, own_cores() - 1, self._back // _AT_A_TIME)
            self._helpers: list[_Helper] = []
            # As many as the system gives: without one the log is read here.
            with suppress(OSError):
                for _ in range(count):
                    self._helpers.append(_Helper(log.fileno()))

    def __enter__(self) -> LogHelpers:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.end()

    def next_end(self) -> int | None:
        """Take the next part at the front: where it ends; None when helpers have all others."""
        for helper in self._helpers:
            helper.heed()
            while helper.is_free and self._front < self._back - 1:
                self._back -= 1
                helper.hand(self._back, self._begins[self._back], self._ends[self._back])
        if self._front >= self._back:
            return None
        self._front += 1
        return self._ends[self._front - 1]

    def rest(self) -> Iterator[tuple[int, bytes, MetricsColumns | None]]:
        """What helpers have read, in the order of the log: up to which byte, the end of the last line, and
        the columns.

        None where they cannot tell: a helper is gone, or there are other lines than rows of the same metrics.
        """
        for part in range(self._back, len(self._ends)):
            helper = next((helper for helper in self._helpers if part in helper.parts), None)
            pieces = helper.made_of(part) if helper is not None else None
            for piece in pieces or [_Piece(self._ends[part], b"", None)]:
                yield piece.end, piece.last, None if piece.columns is None else _unpacked(piece.columns)


class _Helper:
    """One process that reads parts."""

    def __init__(self, log: int) -> None:
        self.parts: set[int] = set()
        """All that it was handed."""
        self._done: dict[int, tuple[int, int]] = {}
        """Where in the file, and how long, is what it made of a part."""
        self._made = tempfile.TemporaryFile()  # noqa: SIM115
        self._said = b""
        made = self._made.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(log), str(made)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(log, made),
            bufsize=0,
        )
        assert self._process.stdout is not None
        self._news = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._news, select.POLLIN)

    @property
    def is_free(self) -> bool:
        return len(self.parts) - len(self._done) < _AT_A_TIME and self._process.poll() is None

    def hand(self, part: int, begin: int, end: int) -> None:
        assert self._process.stdin is not None
        self.parts.add(part)
        with suppress(OSError):  # gone: its parts are read elsewhere
            self._process.stdin.write(f"{part} {begin} {end}\n".encode())

    def heed(self, seconds: float = 0.0) -> bool:
        """Take in which parts are done; False when it said nothing for so long, or is gone."""
        if not self._poll.poll(1000 * seconds):
            return False
        news = os.read(self._news, 1 << 12)
        *lines, self._said = (self._said + news).split(b"\n")
        for line in lines:
            part, begin, size = map(int, line.split())
            self._done[part] = begin, size
        return bool(news)

    def made_of(self, part: int) -> list[_Piece] | None:
        while part not in self._done:
            if not self.heed(_PATIENCE_SECONDS):
                self._process.kill()
                return None
        begin, size = self._done[part]
        try:
            return _pieces.decode(os.pread(self._made.fileno(), size, begin))
        except msgspec.MsgspecError:
            return None

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._made.close()


def _part_ends(log: int, begin: int) -> list[int]:
    """Where the parts from ``begin`` on end, each behind a line's end."""
    size, ends = os.fstat(log).st_size, []
    for at in range(begin + PART, size, PART):
        near = os.pread(log, _LONGEST_LINE, at)
        if (found := near.find(b"\n")) >= 0:
            ends.append(at + found + 1)
    return ends


def _unpacked(columns: _Columns) -> MetricsColumns:
    return MetricsColumns(
        steps=array("q", columns.steps),
        times=array("d", columns.times),
        values={key: array("d", values) for key, values in columns.values.items()},
        units=dict(columns.units),
        total=columns.total,
        memory_mb=columns.memory_mb,
    )


def _packed(columns: MetricsColumns) -> _Columns:
    return _Columns(
        steps=columns.steps.tobytes(),
        times=columns.times.tobytes(),
        values={key: values.tobytes() for key, values in columns.values.items()},
        units=columns.units,
        total=columns.total,
        memory_mb=columns.memory_mb,
    )


def _read(block: bytes, begin: int) -> list[_Piece]:
    """The pieces of a part that begins at this byte of the log."""
    return [
        _Piece(begin + end, b"", None)
        if columns is None
        else _Piece(begin + end, end_of_line(block, end), _packed(columns))
        for end, columns in read_columns(block)
    ]


def main(arguments: list[str]) -> int:
    """The helper: parts to read come in as lines, and what was made of them goes into a file."""
    log, made = map(int, arguments)
    size = 0
    for line in sys.stdin.buffer:
        part, begin, end = map(int, line.split())
        content = msgspec.msgpack.encode(_read(os.pread(log, end - begin, begin), begin))
        written = 0
        while written < len(content):
            written += os.pwrite(made, content[written:], size + written)
        sys.stdout.buffer.write(f"{part} {size} {len(content)}\n".encode())
        sys.stdout.buffer.flush()
        size += len(content)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
