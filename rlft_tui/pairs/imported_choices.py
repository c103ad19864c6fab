"""Verdicts of one file that contradict each other."""

from __future__ import annotations

from array import array

from rlft_tui.pairs.pair_row import RowVerdict

_CHOICES = {"a": 0, "b": 1, "tie": 2}


class ImportedChoices:
    """Remembers sixteen bytes a verdict, so that a million of them are no burden."""

    def __init__(self) -> None:
        self._keys = array("q")
        """Hashes of pair and labeller."""
        self._lines = array("q")
        """Line and choice in one number."""
        self._repeated: set[int] = set()

    def add(self, example_id: str, said: RowVerdict, line: int, *, repeated: bool) -> None:
        """``repeated``: the pair was there before this row."""
        key = hash((example_id, said.labeler))
        self._keys.append(key)
        self._lines.append(4 * line + _CHOICES[said.choice])
        if repeated:
            self._repeated.add(key)

    def contradictions(self, most: int) -> list[tuple[int, int]]:
        """Lines that say otherwise than an earlier line on the same pair, and that line."""
        first: dict[int, int] = {}
        found: list[tuple[int, int]] = []
        if not self._repeated:
            return found
        for key, line in zip(self._keys, self._lines, strict=True):
            if key not in self._repeated:
                continue
            earlier = first.setdefault(key, line)
            if earlier % 4 != line % 4:
                found.append((line // 4, earlier // 4))
                if len(found) == most:
                    break
        return found
