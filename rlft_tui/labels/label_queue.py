"""What one labeller is shown next, kept in memory between verdicts."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable

import duckdb

from rlft_tui.labels import preferences_table
from rlft_tui.labels.labeling_rate import VERDICTS, verdicts_per_hour
from rlft_tui.labels.preference import Progress, Side
from rlft_tui.labels.preferences_table import PairState

REFILL = 2000
"""Ids fetched by one scan of the pairs."""
_SEED = "rlft-1"


def left_side(labeler: str, example_id: str) -> Side:
    """The stored side shown on the left: random over pairs, the same each time for one pair."""
    digest = hashlib.blake2b(f"{_SEED}\x1f{labeler}\x1f{example_id}".encode(), digest_size=1).digest()
    return "a" if digest[0] & 1 else "b"


class LabelQueue:
    """The next ids and the counts of one labeller. Not thread-safe: its owner locks.

    The order is fixed by a hash of seed, labeller and pair id, so two windows and a
    restarted server show the same; pairs whose verdict was undone come first.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, labeler: str) -> None:
        self.labeler = labeler
        self._ids: list[str] = []
        self._complete = False
        self._stale = False
        self._counts: dict[PairState, int] = {}
        self._times: deque[float] = deque(maxlen=VERDICTS)
        self._load(connection)

    def pairs_changed(self) -> None:
        """New pairs may stand anywhere in the order: the next call looks again."""
        self._stale = True

    def next_ids(
        self, connection: duckdb.DuckDBPyConnection, limit: int, exclude: Iterable[str]
    ) -> list[str]:
        """The next ``limit`` ids that are not in ``exclude``."""
        without = set(exclude)
        if self._stale:
            self._load(connection)
        wanted = limit + len(without)
        if len(self._ids) < wanted and not self._complete:
            self._refill(connection, wanted)
        return [one for one in self._ids if one not in without][:limit]

    def is_open(self, example_id: str) -> bool:
        """True when the pair is known to be neither judged nor set aside; False when not known."""
        return example_id in self._ids

    def moved(self, example_id: str, before: PairState, after: PairState) -> None:
        """Count the pair's change of state; one that is open again comes first."""
        self._counts[before] -= 1
        self._counts[after] += 1
        if example_id in self._ids:
            self._ids.remove(example_id)
        if after == "open":
            self._ids.insert(0, example_id)

    def judged_at(self, time: float) -> None:
        self._times.append(time)

    def unjudged(self, time: float) -> None:
        """The verdict given then was taken back."""
        if time in self._times:
            self._times.remove(time)

    def progress(self) -> Progress:
        rate = verdicts_per_hour(list(self._times))
        remaining = self._counts["open"]
        return Progress(
            labelled=self._counts["judged"],
            skipped=self._counts["skip"],
            flagged=self._counts["flag"],
            remaining=remaining,
            per_hour=rate,
            seconds_left=remaining * 3600.0 / rate if rate else None,
        )

    def _load(self, connection: duckdb.DuckDBPyConnection) -> None:
        counts = preferences_table.count_pairs(connection, self.labeler)
        self._counts = {
            "judged": counts.labelled,
            "skip": counts.skipped,
            "flag": counts.flagged,
            "open": counts.remaining,
        }
        self._times = deque(
            preferences_table.verdict_times(connection, self.labeler, VERDICTS), maxlen=VERDICTS
        )
        self._refill(connection, REFILL)
        self._stale = False

    def _refill(self, connection: duckdb.DuckDBPyConnection, wanted: int) -> None:
        limit = max(REFILL, wanted)
        seed = f"{_SEED}\x1f{self.labeler}\x1f"
        self._ids = preferences_table.open_pairs(connection, self.labeler, seed, limit)
        self._complete = len(self._ids) < limit
