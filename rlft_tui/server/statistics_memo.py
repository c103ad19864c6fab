"""Statistics are computed once for a state of the labels, however many screens ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import duckdb

from rlft_tui.database.connection import Database
from rlft_tui.labels.preferences_table import label_state
from rlft_tui.record import Record

T = TypeVar("T")
PATIENCE = 30.0
"""What may be late is computed again only after so many times as long as it took."""
_MOST = 200


class _Kept(Record, frozen=True):
    state: tuple[int, ...]
    answer: Any
    made: float
    """time.monotonic"""
    took: float


class StatisticsMemo:
    """Answers by name, kept until labels or pairs are added. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def answer(
        self,
        name: str,
        about: str,
        compute: Callable[[duckdb.DuckDBPyConnection], T],
        *,
        may_be_late: bool = False,
    ) -> T:
        """``compute``'s answer, ``about`` one labeller or model.

        With ``may_be_late`` an older answer is good enough until thirty times as long has passed
        as it took: for what is asked every other second while verdicts come in.
        """
        key = (name, about)
        with self._lock:
            if len(self._locks) > _MOST:
                self._locks.clear()
                self._kept.clear()
            own = self._locks.setdefault(key, threading.Lock())
        with own, self._database.reader() as connection:
            kept = self._kept.get(key)
            if kept and may_be_late and time.monotonic() - kept.made < PATIENCE * kept.took:
                return cast(T, kept.answer)
            state = label_state(connection)
            if kept and kept.state == state:
                return cast(T, kept.answer)
            start = time.monotonic()
            answer = compute(connection)
            now = time.monotonic()
            self._kept[key] = _Kept(state, answer, now, now - start)
            return answer
