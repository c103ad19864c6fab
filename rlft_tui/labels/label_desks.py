"""The labellers' queues: read without holding up anybody's verdict, kept up with every change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import duckdb

from rlft_tui.database.connection import Database
from rlft_tui.errors import RlftError
from rlft_tui.labels import preferences_table, queue_table
from rlft_tui.labels.label_queue import LabelQueue, Slot
from rlft_tui.labels.preference import LabelOperation, Mark, Preference, Progress, Revocation
from rlft_tui.labels.preferences_table import PairState
from rlft_tui.labels.queue_reader import ACTIVE, Shares, read_queue
from rlft_tui.labels.queue_view import QueueView
from rlft_tui.labels.window_holds import WindowHolds

log = logging.getLogger("rlft.server")
LOW = {True: 30, False: 200}
"""Pairs ahead under which more are fetched in the background; by whether the order is active."""
_VIEWS = 3
"""Queues kept for one labeller: the latest views asked for."""
_STATES = 5000
_HELD_SECONDS = 900.0
"""How long a pair that was given to one labeller is kept from the others where pairs are shared out."""


class Desk:
    """What is in memory for one labeller."""

    def __init__(self) -> None:
        self.view = QueueView()
        self.queues: dict[QueueView, LabelQueue] = {}
        self.states: dict[str, PairState] = {}
        """Where pairs that were given or judged lately stand, so that no verdict needs a search."""

    def set_state(self, example_id: str, state: PairState) -> None:
        self.states.pop(example_id, None)
        self.states[example_id] = state
        if len(self.states) > _STATES:
            del self.states[next(iter(self.states))]


class LabelDesks:
    """Every labeller's queues. ``lock`` is the book's: who holds it sees no change half made."""

    def __init__(self, database: Database, lock: threading.RLock, shares: Shares) -> None:
        self._database = database
        self._lock = lock
        self._shares = shares
        self._desks: dict[str, Desk] = {}
        self._reading = threading.Condition(lock)
        self._background = ThreadPoolExecutor(1, thread_name_prefix="queue")
        self._windows = WindowHolds()
        self._held: dict[str, dict[str, float]] = {}
        """Pair to who was given it where pairs are shared out, and when (monotonic)."""

    def close(self) -> None:
        self._background.shutdown(cancel_futures=True)

    # asking
    def next(
        self,
        labeler: str,
        view: QueueView,
        limit: int,
        exclude: Collection[str],
        *,
        peek: bool = False,
        window: str = "",
    ) -> tuple[list[Slot], Progress]:
        """The labeller's next pairs and where they stand; from now on this is their view.

        Who only peeks changes nothing: the pairs are not kept from others either. ``window`` names one
        of several through which the labeller works: pairs that another one of theirs holds come last.
        """
        queue = self._ready(labeler, view)
        without = frozenset(exclude)
        with self._lock:
            if not peek:
                self._desk(labeler).view = view
            elsewhere = self._windows.elsewhere(labeler, window) if window else frozenset()
            slots = self._take(queue, limit, without | elsewhere, peek)
        if len(slots) < limit and not queue.is_complete:
            self._read(queue, limit + len(without | elsewhere))
            with self._lock:
                slots = self._take(queue, limit, without | elsewhere, peek)
        with self._lock:
            if len(slots) < limit and elsewhere:
                taken = without | {slot.key for slot in slots}
                slots += self._take(queue, limit - len(slots), taken, peek)
            if window and not peek:
                self._windows.keep(labeler, window, without | {slot.key for slot in slots})
            self._fetch_ahead(queue)
            return slots, queue.progress()

    def progress(self, labeler: str, view: QueueView | None = None) -> Progress:
        """Where the labeller stands in a view, or in the one they last asked for."""
        with self._lock:
            chosen = self._desk(labeler).view if view is None else view
        queue = self._ready(labeler, chosen)
        with self._lock:
            return queue.progress()

    def forget(self) -> None:
        """Everything is read again when next asked for."""
        with self._lock:
            for desk in self._desks.values():
                desk.queues.clear()
                desk.states.clear()

    def pairs_changed(self) -> None:
        """Pairs were added: they may stand anywhere in an order."""
        with self._lock:
            for desk in self._desks.values():
                for queue in desk.queues.values():
                    queue.stale = True

    # changes
    def state(self, connection: duckdb.DuckDBPyConnection, labeler: str, example_id: str) -> PairState:
        """Where the pair stands for the labeller."""
        desk = self._desk(labeler)
        if example_id in desk.states:
            return desk.states[example_id]
        if self.is_open(labeler, example_id):
            return "open"
        return preferences_table.pair_state(connection, labeler, example_id)

    def is_open(self, labeler: str, example_id: str) -> bool:
        """True when the pair is known to be neither judged nor set aside; False when not known."""
        desk = self._desk(labeler)
        if (state := desk.states.get(example_id)) is not None:
            return state == "open"
        return any(queue.knows(example_id) for queue in desk.queues.values())

    def concerned(
        self, connection: duckdb.DuckDBPyConnection, labeler: str, example_id: str
    ) -> list[LabelQueue]:
        """The labeller's queues in which the pair has a place."""
        return [
            queue
            for queue in self._desk(labeler).queues.values()
            if not queue.view.is_filtered
            or queue.knows(example_id)
            or queue_table.matching(connection, queue.view, [example_id])
        ]

    def stored(
        self,
        operation: LabelOperation,
        target: Preference | Mark,
        before: PairState,
        after: PairState,
        queues: list[LabelQueue],
    ) -> None:
        """An operation is durable: ``target`` is the verdict or mark that it is, or takes back."""
        labeler, example_id = operation.labeler_id, target.example_id
        for queue in queues:
            queue.moved(example_id, before, after)
            if isinstance(target, Mark):
                queue.set_aside(example_id)
        if isinstance(target, Preference) and target.source != "import":
            for queue in self._desk(labeler).queues.values():
                if isinstance(operation, Revocation):
                    queue.unjudged(target)
                elif queue in queues or target.source != "human":
                    queue.judged(target)
        self._desk(labeler).set_state(example_id, after)
        self._tell_others(labeler, example_id, before, after)

    def _tell_others(self, labeler: str, example_id: str, before: PairState, after: PairState) -> None:
        """Where pairs are shared out, the others' queues count who has judged this one."""
        if (holders := self._held.get(example_id)) is not None:
            holders.pop(labeler, None)
            if not holders:
                del self._held[example_id]
        if (before == "judged") == (after == "judged"):
            return
        for name, desk in self._desks.items():
            for queue in desk.queues.values():
                if name != labeler and queue.view.overlap:
                    queue.judged_by_another(example_id, labeler, judged=after == "judged")

    # reading
    def _desk(self, labeler: str) -> Desk:
        return self._desks.setdefault(labeler, Desk())

    def _ready(self, labeler: str, view: QueueView) -> LabelQueue:
        """The queue, read once at least."""
        with self._lock:
            desk = self._desk(labeler)
            queue = desk.queues.pop(view, None)
            if queue is None:
                queue = LabelQueue(labeler, view, repeat_share=self._shares.repeat)
            desk.queues[view] = queue
            while len(desk.queues) > _VIEWS:
                del desk.queues[next(iter(desk.queues))]
            is_ready = queue.is_ready
        if not is_ready:
            self._read(queue, 0)
        return queue

    def _read(self, queue: LabelQueue, wanted: int, *, ahead: bool = False) -> None:
        """Read the database while verdicts go on; waits for a reading that is under way."""
        with self._lock:
            if queue.is_reading:
                self._reading.wait_for(lambda: not queue.is_reading)
                if not queue.stale and (queue.count_ahead() >= wanted or queue.is_complete):
                    return
            stack = ExitStack()
            connection = stack.enter_context(self._database.reader())
            # The first statement fixes the snapshot, before the next verdict can be stored.
            preferences_table.touch(connection)
            queue.begin_reading(ahead=ahead)
        try:
            with stack:
                content = read_queue(connection, queue, self._shares, wanted)
        except BaseException:
            with self._lock:
                queue.give_up_reading()
                self._reading.notify_all()
            raise
        with self._lock:
            queue.install(content)
            self._reading.notify_all()

    def _fetch_ahead(self, queue: LabelQueue) -> None:
        low = LOW[queue.view.order in ACTIVE]
        if queue.count_ahead() < low and not queue.is_complete and not queue.is_reading:
            self._background.submit(self._read_ahead, queue)

    def _read_ahead(self, queue: LabelQueue) -> None:
        try:
            if not queue.is_reading:
                self._read(queue, 0, ahead=True)
        except (RlftError, duckdb.Error):
            # Who asks next reads again, and is told what is wrong.
            log.exception("reading pairs ahead for %s", queue.labeler)

    # sharing pairs out
    def _take(self, queue: LabelQueue, limit: int, exclude: frozenset[str], peek: bool) -> list[Slot]:
        if not queue.view.overlap:
            slots = queue.next(limit, exclude)
        else:
            slots = queue.next(limit, exclude, is_free=self._is_free(queue))
            now = time.monotonic()
            for slot in () if peek else slots:
                self._held.setdefault(slot.example_id, {})[queue.labeler] = now
        desk = self._desk(queue.labeler)
        for slot in slots:
            if slot.source == "human" and slot.example_id not in desk.states:
                desk.set_state(slot.example_id, "open")
        return slots

    def _is_free(self, queue: LabelQueue) -> Callable[[str, frozenset[str]], bool]:
        """Whether a pair may be given to one more: who holds it counts as if they had judged it."""
        since = time.monotonic() - _HELD_SECONDS

        def is_free(example_id: str, others: frozenset[str]) -> bool:
            holders = {who for who, at in self._held.get(example_id, {}).items() if at >= since}
            return len((others | holders) - {queue.labeler}) < queue.view.overlap

        return is_free
