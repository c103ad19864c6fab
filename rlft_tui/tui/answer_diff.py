"""The word diffs of the pair on screen and of the next ones, made in idle moments."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from rlft_tui.tui.widgets.kept_documents import Pieces
from rlft_tui.tui.widgets.word_diff import Marks, diff_slices, marked_pieces

KEPT = 6
"""Pairs whose diff is kept."""

Pair = tuple[str, str]
Marked = tuple[Pieces, Pieces]
NO_MARKS: Marked = ((), ())


class AnswerDiffs:
    """Diffs by the texts of the two answers; ``step`` does a millisecond or so of the work."""

    def __init__(self) -> None:
        self._done: OrderedDict[Pair, Marked] = OrderedDict()
        self._wanted: list[Pair] = []
        self._at_work: tuple[Pair, Iterator[tuple[Marks, Marks] | None]] | None = None

    def marks(self, left: str, right: str) -> Marked:
        """How both texts are marked; nothing as long as that is not known."""
        return self._done.get((left, right), NO_MARKS)

    def want(self, pairs: list[Pair]) -> None:
        """Work on these, the first first; what was asked for before is dropped, half done or not."""
        self._wanted = [pair for pair in pairs if pair not in self._done]
        if self._at_work is not None and self._at_work[0] not in self._wanted[:1]:
            self._at_work = None

    @property
    def busy(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self._wanted)

    def step(self) -> Pair | None:
        """Work a little; the pair whose diff is ready now, if one is."""
        if not self._wanted:
            return None
        pair = self._wanted[0]
        if self._at_work is None:
            self._at_work = (pair, diff_slices(*pair))
        found = next(self._at_work[1])
        if found is None:
            return None
        self._at_work = None
        self._wanted.pop(0)
        self._done[pair] = (marked_pieces(pair[0], found[0]), marked_pieces(pair[1], found[1]))
        while len(self._done) > KEPT:
            self._done.popitem(last=False)
        return pair
