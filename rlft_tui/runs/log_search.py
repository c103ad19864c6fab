"""Lines of a run's output that match, found in either direction without loading the file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.runs.log_file import open_log
from rlft_tui.runs.log_page import unreadable_output
from rlft_tui.runs.terminal_text import plain_text

LogLevel = Literal["", "warnings", "errors", "tracebacks"]
_COLOUR = rb"\x1b\[[0-9;]*m"
_MARGIN = rb"^(?:[ \t]|" + _COLOUR + rb")*"
_TRACEBACK = _MARGIN + rb"(?:Traceback \(most recent call last\)|.*[Tt]hread 0x.*\(most recent call first\))"
"""An exception's, or faulthandler's of a process that crashed or hung."""
_ERROR = (
    rb"(?:\b|" + _COLOUR + rb")(?:ERROR|CRITICAL|FATAL)\b"
    rb"|" + _MARGIN + rb"(?:\w+\.)*\w*(?:Error|Exception|Interrupt)(?::|$)"
    rb"|" + _TRACEBACK
)


class _Test(Record, frozen=True):
    """A line passes where ``pattern`` matches; ``words`` are what it cannot match without.

    Looking for words is ten times as fast as the expression, so lines are picked by them first.
    """

    pattern: re.Pattern[bytes]
    words: tuple[bytes, ...] = ()
    any_case: bool = False


_ERROR_WORDS = (
    *(b"ERROR", b"CRITICAL", b"FATAL", b"Error", b"Exception", b"Interrupt"),
    *(b"Traceback", b"call first)"),
)
_LEVELS: dict[LogLevel, _Test] = {
    "warnings": _Test(
        re.compile(rb"(?:\b|" + _COLOUR + rb")WARN(?:ING)?\b|Warning: |" + _ERROR),
        (b"WARN", b"Warning: ", *_ERROR_WORDS),
    ),
    "errors": _Test(re.compile(_ERROR), _ERROR_WORDS),
    "tracebacks": _Test(re.compile(_TRACEBACK), (b"Traceback (", b"call first)")),
}
"""A level and all above it, by what Python's logging and the trainers print."""
_ANY = _Test(re.compile(b""))

_BLOCK = 1 << 20
_BUDGET = 64 << 20
_BUDGET_SECONDS = 0.4
"""Bytes and time of one call, and the block that it is at: a longer file takes several calls."""
_LONGEST_LINE = 400
"""Characters of a matching line that are handed out."""


class LogLine(Record, frozen=True):
    """One matching line, harmless."""

    start: int
    """Byte offset of its first character."""
    text: str


class LogMatches(Record, frozen=True):
    """Matching lines in the order of the file, and how far the search came."""

    lines: tuple[LogLine, ...]
    searched: int
    """Go on from here: offset up to which (or, backwards, down to which) all was looked at."""
    size: int


def search_log(
    path: Path,
    *,
    text: str = "",
    level: LogLevel = "",
    start: int = 0,
    backwards: bool = False,
    limit: int = 200,
) -> LogMatches:
    """At most ``limit`` lines after ``start``, or before it; -1 stands for the end.

    ``text`` is a regular expression between slashes, or plain words; case does not matter. With
    a ``level`` as well both must match. RlftError for an expression that is none.
    """
    tests = [test for test in (_text_test(text), _LEVELS.get(level)) if test] or [_ANY]
    try:
        stream = open_log(path)
    except FileNotFoundError:
        return LogMatches((), 0, 0)
    except OSError as error:
        raise unreadable_output(path, error) from None
    found: list[LogLine] = []
    deadline = time.monotonic() + _BUDGET_SECONDS
    with stream:
        size = stream.seek(0, 2)
        # A start past the end: the log was replaced by a shorter one.
        at = start if 0 <= start <= size else size if backwards or start < 0 else 0
        end = max(0, at - _BUDGET) if backwards else min(size, at + _BUDGET)
        while at != end and len(found) < limit:
            begin, block = _block_before(stream, at, end) if backwards else _block_after(stream, at, end)
            lines = [LogLine(begin + start, _shown(line)) for start, line in _matching(block, tests)]
            left = limit - len(found)
            if backwards:
                at = begin if len(lines) <= left else lines[-left].start
                found = lines[-left:] + found
            else:
                at = begin + len(block) if len(lines) <= left else lines[left].start
                found += lines[:left]
            if time.monotonic() > deadline:
                break
    return LogMatches(tuple(found), at, size)


def _matching(block: bytes, tests: list[_Test]) -> Iterator[tuple[int, bytes]]:
    """Offset and text of each line of a block that passes every test."""
    for begin in _line_starts(block, tests[0]):
        stop = block.find(b"\n", begin)
        line = block[begin:] if stop < 0 else block[begin:stop]
        if all(test.pattern.search(line) for test in tests):
            yield begin, line


def _line_starts(block: bytes, test: _Test) -> list[int]:
    """Where the lines begin that may pass the test, in order."""
    if not test.words:
        starts = [0, *(match.end() for match in re.finditer(b"\n", block))]
        return [start for start in starts if start < len(block)]
    looked_at = block.lower() if test.any_case else block
    starts = []
    for word in test.words:
        at = looked_at.find(word)
        while at >= 0:
            starts.append(block.rfind(b"\n", 0, at) + 1)
            stop = block.find(b"\n", at)
            at = -1 if stop < 0 else looked_at.find(word, stop)
    return sorted(set(starts))


def _shown(line: bytes) -> str:
    return plain_text(line[: 4 * _LONGEST_LINE].decode("utf-8", errors="replace"))[:_LONGEST_LINE]


def _text_test(text: str) -> _Test | None:
    if not text:
        return None
    if len(text) > 2 and text[0] == text[-1] == "/":
        try:
            return _Test(re.compile(text[1:-1].encode(), re.IGNORECASE))
        except re.error as error:
            raise RlftError(f"not a regular expression: {error}", where=text) from None
    words = text.encode()
    return _Test(re.compile(re.escape(words), re.IGNORECASE), (words.lower(),), any_case=True)


def _block_after(stream: BinaryIO, at: int, end: int) -> tuple[int, bytes]:
    """Whole lines from ``at`` on; a line longer than a block comes in pieces."""
    stream.seek(at)
    block = stream.read(min(_BLOCK, end - at))
    whole = block.rfind(b"\n") + 1
    return at, block[:whole] if whole and at + len(block) < end else block


def _block_before(stream: BinaryIO, at: int, end: int) -> tuple[int, bytes]:
    """Whole lines up to ``at``."""
    begin = max(end, at - _BLOCK)
    stream.seek(begin)
    block = stream.read(at - begin)
    torn = block.find(b"\n") + 1 if begin > end else 0
    return (begin + torn, block[torn:]) if torn < len(block) else (begin, block)
