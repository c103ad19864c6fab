"""Pages of a run's output by byte offset, safe to show."""

from __future__ import annotations

import re
from pathlib import Path

from rlft_tui.errors import UnavailableError
from rlft_tui.runs.log_file import open_log
from rlft_tui.runs.run_status import LogPage
from rlft_tui.runs.terminal_text import plain_text

LARGEST_PAGE = 1 << 20
_LONGEST_CHARACTER = 4
_LONGEST_ESCAPE = 32
_OPEN_ESCAPE = re.compile(rb"\x1b(\[[0-?]*[ -/]*)?\Z")


def read_page(path: Path, start: int, limit: int) -> LogPage:
    """At most ``limit`` bytes from ``start``; -1 for the last ``limit`` bytes.

    A page never ends within a character. A last page begins at a line's start where
    one is in reach. A start past the end (the log was replaced) reads from the top.
    """
    limit = max(_LONGEST_CHARACTER, min(limit, LARGEST_PAGE))
    try:
        stream = open_log(path)
    except FileNotFoundError:
        return LogPage(text="", start=0, end=0, size=0)
    except OSError as error:
        raise unreadable_output(path, error) from None
    with stream:
        size = stream.seek(0, 2)
        from_end = start < 0
        if from_end:
            start = max(0, size - limit)
        elif start > size:
            start = 0
        before = max(0, start - 1)
        stream.seek(before)
        block = stream.read(limit + start - before)
    continues = start > 0 and block[:1] != b"\n"
    block = block[start - before :]
    if from_end and start > 0:
        skipped = block.find(b"\n") + 1 or _torn_head(block)
        block, start, continues = block[skipped:], start + skipped, False
    block = block[: len(block) - (_torn_tail(block) or _torn_escape(block))]
    text = block.decode("utf-8", errors="replace")
    if continues and "\r" in text.partition("\n")[0].removesuffix("\r"):
        # The line that the page before left open is drawn over: begin a new one.
        text = "\n" + text
    return LogPage(
        text=plain_text(text),
        start=start,
        end=start + len(block),
        size=size,
    )


def _torn_escape(block: bytes) -> int:
    """Bytes at the end of an escape sequence whose rest is not there."""
    found = _OPEN_ESCAPE.search(block, max(0, len(block) - _LONGEST_ESCAPE))
    return len(block) - found.start() if found and found.start() > 0 else 0


def _torn_head(block: bytes) -> int:
    """Bytes at the start that continue a character begun before."""
    return next((at for at, byte in enumerate(block[:_LONGEST_CHARACTER]) if byte & 0xC0 != 0x80), 0)


def _torn_tail(block: bytes) -> int:
    """Bytes at the end that begin a character whose rest is not there."""
    for back in range(1, min(_LONGEST_CHARACTER, len(block)) + 1):
        byte = block[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = (
            1
            if byte < 0x80
            else 2
            if byte >> 5 == 6
            else 3
            if byte >> 4 == 14
            else 4
            if byte >> 3 == 30
            else 1
        )
        return back if needed > back else 0
    return 0


def unreadable_output(path: Path, error: OSError) -> UnavailableError:
    """Why a run's output cannot be shown."""
    return UnavailableError(f"the output cannot be read: {error.strerror or error}", where=str(path))
