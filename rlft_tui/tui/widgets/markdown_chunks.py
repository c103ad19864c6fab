"""A text cut into pieces that can be parsed one after another, each in bounded time.

A cut is made at a blank line outside fences and lists, or anywhere when a piece gets
too long; an overlong fence is then opened again in the next piece.
"""

from __future__ import annotations

import re
from typing import Literal

from rlft_tui.record import Record

USUAL = 1_500
"""Characters after which the next good place ends a piece."""

GROWING = 1
"""The same in a text that still grows: any, for its last piece is rendered again with every frame."""

MOST = 4_000
"""Characters after which a piece ends wherever it is: even of brackets only, that takes ≈50 ms to parse."""

_FENCE = re.compile(
    r"(?P<indent>[ ]*)(?P<nest>(?:>[ ]?|[-*+][ ]+|\d{1,9}[.)][ ]+)*)"
    r"(?P<mark>`{3,}|~{3,})(?P<info>.*)"
)
_ITEM = re.compile(r"[ ]{0,3}(?:[-*+]|(?P<number>\d{1,9})[.)])(?:[ ]|$)")


class Chunk(Record, frozen=True):
    """One piece: ``text`` is what to parse, ``end`` where its source ends in the whole text."""

    text: str
    end: int
    joined: bool
    """The piece goes on in the middle of a block: no blank line before it."""
    complete: bool
    """False for the last piece of a text that may still grow."""


class Chunker:
    """Cuts pieces off a text, remembering an open fence between two pieces."""

    def __init__(self, usual: int = USUAL) -> None:
        self._usual = usual
        self._reopen = ""
        self._joined = False

    def next(self, text: str, start: int, *, markdown: bool = True) -> Chunk:
        """The piece that begins at ``start`` (below ``len(text)``)."""
        if not markdown:
            end, complete = _plain_end(text, start)
            return Chunk(text[start:end].removesuffix("\n"), end, True, complete)
        opener, joined = self._reopen, self._joined
        end, kind, fence = _markdown_end(text, start, opener, self._usual)
        complete = kind != "growing"
        self._reopen = fence
        self._joined = kind == "forced"
        body = text[start:end]
        if opener:
            body = f"{opener}\n{body}"
        return Chunk(body, end, joined, complete)

    def state(self) -> tuple[str, bool]:
        """What must be restored to cut the same piece again."""
        return self._reopen, self._joined

    def restore(self, state: tuple[str, bool]) -> None:
        """Go back to a state taken before ``next``."""
        self._reopen, self._joined = state


def _plain_end(text: str, start: int) -> tuple[int, bool]:
    if len(text) - start <= USUAL:
        return len(text), False
    end = text.find("\n", start + USUAL, start + MOST)
    return (end + 1, True) if end >= 0 else (_somewhere(text, start), True)


def _somewhere(text: str, start: int) -> int:
    """A forced cut: after the last line feed or space within reach, or right there."""
    limit = min(len(text), start + MOST)
    for mark in ("\n", " "):
        end = text.rfind(mark, start + USUAL, limit)
        if end >= 0:
            return end + 1
    return limit


def _markdown_end(
    text: str, start: int, opener: str, usual: int
) -> tuple[int, Literal["blank", "forced", "growing"], str]:
    """(end, what made the cut, fence to open again in the next piece)."""
    mark = _fence_mark(opener)
    """The open fence's characters, or nothing."""
    reopen = opener
    in_list = False
    blank = False
    at = start
    total = len(text)
    while at < total:
        line_end = text.find("\n", at, start + MOST)
        if line_end < 0:
            if total - start <= MOST:
                break
            return _somewhere(text, start), "forced", reopen
        line = text[at:line_end]
        stripped = line.strip()
        if mark:
            if stripped.startswith(mark) and not stripped.strip(mark[0]):
                mark = reopen = ""
                in_list = in_list or line.startswith(" ")
        elif not stripped:
            blank = True
        else:
            item = _ITEM.match(line)
            indented = line.startswith(" ")
            goes_on = in_list and (indented or item is not None)
            if blank and at - start >= usual and not goes_on and not line.startswith("    "):
                return at, "blank", ""
            if blank and not goes_on:
                in_list = False
            in_list = in_list or item is not None
            blank = False
            fence = _FENCE.match(line) if "```" in line or "~~~" in line else None
            if fence and not ("`" in fence["info"] and fence["mark"][0] == "`"):
                nested = fence["nest"] or (in_list and fence["indent"])
                if nested or len(fence["indent"]) <= 3:
                    mark = fence["mark"]
                    reopen = "" if nested else line.strip()
        at = line_end + 1
        if at - start >= MOST - 500:
            return at, "forced", reopen
    return total, "growing", ""


def _fence_mark(opener: str) -> str:
    if not opener:
        return ""
    return opener[: len(opener) - len(opener.lstrip(opener[0]))]
