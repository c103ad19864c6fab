"""Which words two texts share, in order: found a slice at a time, in a time that is bounded.

Patience diff (Cohen 2010) over runs of words: runs that occur once in each text and come
in the same order are anchors, longer runs first; what lies between two anchors is searched
again with shorter runs, at last word by word. Every pass reads each word once or twice, so
that texts of 6,000 words without anything in common take no longer than equal ones.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from rlft_tui.record import Record

RUNS = (8, 4, 2, 1)
"""Words of an anchor, longest first."""
MOST_WORDS = 40_000
"""Words of each text that are compared; what comes after counts as different."""
PASSES = 40
"""Times that each word may be looked at; what is not matched by then counts as different."""
FOLD_WORDS = 24
"""A shared stretch of more words than this is folded."""
FOLD_EDGE = 5
"""Words of it that stay at either end."""
_WORK = 1_500
"""Words looked at between two pauses: about a millisecond."""
_TOKEN = re.compile(r"\s+|[\w'’]+|[^\w\s]", re.UNICODE)


class Span(Record, frozen=True):
    """A stretch of one text: characters ``start`` to ``end``, found in the other text too or not."""

    start: int
    end: int
    shared: bool
    words: int


Marks = tuple[Span, ...]
"""Spans that follow one another and cover the whole text."""


def diff_words(first: str, second: str) -> tuple[Marks, Marks]:
    """Spans of both texts, at once. See ``diff_slices`` for the same in slices."""
    for found in diff_slices(first, second):
        if found is not None:
            return found
    raise AssertionError("unreachable: the last slice has the answer")


def diff_slices(first: str, second: str) -> Iterator[tuple[Marks, Marks] | None]:
    """Yields None after about a millisecond of work each time, and at last the spans of both texts.

    Joined, the spans of a text are the text; the shared words of one text are those of the
    other, in the same order. White space belongs to the word before it.
    """
    left, right = _words(first), _words(second)
    a, b = [word for _, word in left[:MOST_WORDS]], [word for _, word in right[:MOST_WORDS]]
    yield None
    shared_a, shared_b = bytearray(len(left)), bytearray(len(right))
    for pair in _matches(a, b):
        if pair is None:
            yield None
        else:
            shared_a[pair[0]] = shared_b[pair[1]] = 1
    yield None
    yield _spans(left, shared_a, len(first)), _spans(right, shared_b, len(second))


def _words(text: str) -> list[tuple[int, str]]:
    """(first character, word) of each word and mark; white space is left out."""
    return [(found.start(), word) for found in _TOKEN.finditer(text) if not (word := found.group()).isspace()]


def _matches(a: list[str], b: list[str]) -> Iterator[tuple[int, int] | None]:
    """Positions of shared words; None when it is time for a pause."""
    work = done = 0
    limit = PASSES * (len(a) + len(b))
    areas = [(0, len(a), 0, len(b), 0)]
    while areas and done < limit:
        low_a, high_a, low_b, high_b, level = areas.pop()
        while low_a < high_a and low_b < high_b and a[low_a] == b[low_b]:
            yield low_a, low_b
            low_a, low_b, work = low_a + 1, low_b + 1, work + 1
        while low_a < high_a and low_b < high_b and a[high_a - 1] == b[high_b - 1]:
            high_a, high_b, work = high_a - 1, high_b - 1, work + 1
            yield high_a, high_b
        if low_a == high_a or low_b == high_b or level == len(RUNS):
            continue
        run = RUNS[level]
        work += high_a - low_a + high_b - low_b
        anchors = _anchors(a, b, low_a, high_a, low_b, high_b, run)
        if work > _WORK:
            work, done = 0, done + work
            yield None
        if not anchors:
            areas.append((low_a, high_a, low_b, high_b, level + 1))
            continue
        at_a, at_b = low_a, low_b
        for here, there in anchors:
            areas.append((at_a, here, at_b, there, level))
            for step in range(run):
                # Anchors may overlap: a word is taken once.
                if here + step >= at_a and there + step >= at_b:
                    yield here + step, there + step
            at_a, at_b = max(at_a, here + run), max(at_b, there + run)
        areas.append((at_a, high_a, at_b, high_b, level))


def _anchors(
    a: list[str], b: list[str], low_a: int, high_a: int, low_b: int, high_b: int, run: int
) -> list[tuple[int, int]]:
    """Runs of words that are once in each area, the longest chain of them in the same order.

    Overlapping ones are kept only where they lie on the same diagonal.
    """
    once_a, once_b = _once(a, low_a, high_a, run), _once(b, low_b, high_b, run)
    if not once_a or not once_b:
        return []
    places = [(place, once_b[words]) for words, place in once_a.items() if place >= 0 and words in once_b]
    chain = _rising([(here, there) for here, there in places if there >= 0])
    kept: list[tuple[int, int]] = []
    for here, there in chain:
        if kept:
            last_a, last_b = kept[-1]
            overlaps = here < last_a + run or there < last_b + run
            if overlaps and here - last_a != there - last_b:
                continue
        kept.append((here, there))
    return kept


def _once(words: list[str], low: int, high: int, run: int) -> dict[object, int]:
    """Each run of words to its place; -1 for one that occurs again."""
    found: dict[object, int] = {}
    for place in range(low, high - run + 1):
        key = words[place] if run == 1 else tuple(words[place : place + run])
        found[key] = -1 if key in found else place
    return found


def _rising(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest chain that rises on both sides; ``places`` rise on the first already."""
    tails: list[int] = []
    """Second side of the last link of the best chain of each length."""
    ends: list[int] = []
    before: list[int] = []
    for number, (_, there) in enumerate(places):
        length = bisect_left(tails, there)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(there)
            ends.append(number)
        else:
            tails[length], ends[length] = there, number
    chain: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chain.append(places[at])
        at = before[at]
    return chain[::-1]


def _spans(words: list[tuple[int, str]], shared: bytearray, length: int) -> Marks:
    if not words:
        return (Span(0, length, False, 0),) if length else ()
    spans: list[Span] = []
    begin, first = 0, 0
    for number in range(1, len(words) + 1):
        if number == len(words) or shared[number] != shared[first]:
            end = length if number == len(words) else words[number][0]
            spans.append(Span(begin, end, bool(shared[first]), number - first))
            begin, first = end, number
    return tuple(spans)


class MarkedPiece(Record, frozen=True):
    """A piece of what is shown: ``kind`` is same, changed or fold (words that are left out)."""

    text: str
    kind: str


def joined(text: str, marks: tuple[MarkedPiece, ...]) -> str:
    """What is shown: the pieces one after the other, or the text where there are none."""
    return "".join([piece.text for piece in marks]) if marks else text


def marked_pieces(text: str, marks: Marks, *, fold: bool = True) -> tuple[MarkedPiece, ...]:
    """The text as pieces, with long shared stretches folded down to their first and last words."""
    pieces: list[MarkedPiece] = []
    for number, span in enumerate(marks):
        part = text[span.start : span.end]
        if not span.shared:
            pieces.append(MarkedPiece(part, "changed"))
        elif not fold or span.words <= FOLD_WORDS:
            pieces.append(MarkedPiece(part, "same"))
        else:
            pieces += _folded(part, span.words, first=number == 0, last=number == len(marks) - 1)
    return tuple(pieces)


def _folded(part: str, words: int, *, first: bool, last: bool) -> list[MarkedPiece]:
    places = _words(part)
    head = 0 if first else FOLD_EDGE
    tail = 0 if last else FOLD_EDGE
    begin, end = places[head][0], places[-tail][0] if tail else len(part)
    hidden = words - head - tail
    pieces = [MarkedPiece(part[:begin], "same")] if begin else []
    before = "" if first or part[:begin].endswith("\n") else "\n"
    pieces.append(MarkedPiece(f"{before}… {hidden} words the same …\n", "fold"))
    if end < len(part):
        pieces.append(MarkedPiece(part[end:], "same"))
    return pieces
