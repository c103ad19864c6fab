"""Where labels are written: in the journal, in the database, then acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import duckdb

from rlft_tui.database.connection import Database
from rlft_tui.errors import ConflictError, NotFoundError, UnavailableError
from rlft_tui.labels import preferences_table
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.label_queue import LabelQueue
from rlft_tui.labels.preference import (
    BetterAnswer,
    LabelOperation,
    Preference,
    Progress,
    Recorded,
    Revocation,
)
from rlft_tui.labels.preferences_table import PairState

T = TypeVar("T", bound=LabelOperation)


class LabelTransaction:
    """Label operations that become durable together, or not at all.

    ``connection`` is an open write transaction; other rows may be stored through it too.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.operations: list[LabelOperation] = []

    def add_imported(self, verdicts: list[Preference]) -> int:
        """Verdicts that came with imported pairs; how many were new."""
        stamped = [_stamped(verdict) for verdict in verdicts]
        known = preferences_table.stored_ids(self.connection, [verdict.id for verdict in stamped])
        new = [verdict for verdict in stamped if verdict.id not in known]
        preferences_table.insert_operations(self.connection, new)
        self.operations += new
        return len(new)


class LabelBook:
    """Every label write and each labeller's queue. Safe to use from several threads.

    A second verdict of one labeller on one pair supersedes the first: the latest that
    was not undone is current, so undoing it brings the one before back.
    """

    def __init__(
        self, database: Database, journal: PreferenceJournal, *, guard: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._journal = journal
        self._guard = guard
        self._lock = threading.RLock()
        self._queues: dict[str, LabelQueue] = {}
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="journal")

    def add(self, operation: LabelOperation) -> Progress:
        """Store one operation; it survives any crash once this returns. An id that is
        already stored is acknowledged again.

        NotFoundError: no such pair, or nothing of that id to take back. ConflictError:
        it is another labeller's, or was taken back before. UnavailableError: the disk
        is full or the workspace was replaced; nothing was stored.
        """
        with self._lock:
            queue = self._queue(operation.labeler_id)
            try:
                self._store(_stamped(operation), queue)
            except duckdb.ConstraintException:
                # Looking for a verdict's id beforehand would cost every verdict a third more.
                with self._database.reader() as connection:
                    if not preferences_table.is_stored(connection, operation):
                        raise
            return queue.progress()

    @contextmanager
    def transaction(self) -> Iterator[LabelTransaction]:
        """Store pairs and the verdicts that come with them in one step."""
        with self._lock:
            with self._writing() as writing:
                yield writing
            self._queues.clear()

    def pairs_changed(self) -> None:
        """Pairs were added: queues and counts are read again when next asked for."""
        with self._lock:
            for queue in self._queues.values():
                queue.pairs_changed()

    def next_ids(self, labeler: str, limit: int, exclude: tuple[str, ...]) -> tuple[list[str], Progress]:
        """The labeller's next pairs and where they stand."""
        with self._lock:
            queue = self._queue(labeler)
            with self._database.reader() as connection:
                ids = queue.next_ids(connection, limit, exclude)
            return ids, queue.progress()

    def reconcile(self) -> list[str]:
        """Make database and journal agree; what was put back, in words.

        Called at the start, before anyone is answered.
        """
        found: list[str] = []
        with self._lock, self._database.write() as connection:
            unseen = preferences_table.operation_ids(connection)
            missing = []
            for operation in self._journal.read():
                if operation.id in unseen:
                    unseen.discard(operation.id)
                else:
                    missing.append(operation)
            put_back = preferences_table.insert_operations(connection, missing)
            if put_back:
                found.append(f"{put_back} labels were missing in the database and came back from the journal")
            unseen -= {operation.id for operation in missing}
            if unseen:
                self._journal.append(preferences_table.operations_by_id(connection, sorted(unseen)))
                self._journal.sync()
                found.append(f"{len(unseen)} labels were missing in the journal and were added to it")
            orphans = preferences_table.count_orphans(connection)
            if orphans:
                found.append(f"{orphans} verdicts are on pairs that are not stored: import the pairs again")
        return [*self._journal.warnings, *found]

    def close(self) -> None:
        with self._lock:
            self._syncer.shutdown()
            self._journal.close()

    def _store(self, operation: LabelOperation, queue: LabelQueue) -> None:
        with self._writing() as writing:
            connection = writing.connection
            if not isinstance(operation, Preference) and preferences_table.is_stored(connection, operation):
                return
            target = self._checked(connection, operation, queue)
            example_id = target.example_id
            before = self._state(connection, queue, example_id)
            preferences_table.insert_operation(connection, operation)
            writing.operations.append(operation)
            after: PairState = "judged"
            if not isinstance(operation, Preference):
                after = preferences_table.pair_state(connection, queue.labeler, example_id)
        if isinstance(target, BetterAnswer):
            return
        queue.moved(example_id, before, after)
        if isinstance(operation, Preference) and operation.source != "import":
            queue.judged_at(operation.created_at)
        elif isinstance(operation, Revocation):
            queue.unjudged(target.created_at)

    @contextmanager
    def _writing(self) -> Iterator[LabelTransaction]:
        """A write whose operations stand in the journal before the database commits.

        Both are flushed at the same time, and only when both are on disk is the write
        acknowledged: two flushes in a row would cost twice the wait.
        """
        self._guard()
        if not self._journal.is_in_place():
            raise UnavailableError(
                "the label journal was moved or replaced; nothing was stored",
                where=str(self._journal.path),
                remedy="Put it back, or restart the server: rlft server stop",
            )
        length: int | None = None
        synced: Future[None] | None = None
        try:
            with self._database.write() as connection:
                writing = LabelTransaction(connection)
                yield writing
                if writing.operations:
                    length = self._journal.append(writing.operations)
                    synced = self._syncer.submit(self._journal.sync)
            if synced is not None:
                synced.result()
        except BaseException:
            if length is not None and synced is not None:
                wait([synced])
                self._journal.cut_back(length)
                # The commit may have reached the disk all the same: read again what stands.
                self._queues.clear()
            raise

    def _queue(self, labeler: str) -> LabelQueue:
        if labeler not in self._queues:
            with self._database.reader() as connection:
                self._queues[labeler] = LabelQueue(connection, labeler)
        return self._queues[labeler]

    def _checked(
        self, connection: duckdb.DuckDBPyConnection, operation: LabelOperation, queue: LabelQueue
    ) -> Recorded:
        """The verdict, mark or written answer that the operation is, or takes back."""
        if not isinstance(operation, Revocation):
            known = queue.is_open(operation.example_id)
            if not known and not preferences_table.example_exists(connection, operation.example_id):
                raise NotFoundError(f"no pair {operation.example_id}", remedy="rlft pairs list shows them")
            return operation
        target = preferences_table.find_target(connection, operation.target_id)
        if target is None:
            raise NotFoundError(f"nothing to undo: no verdict or mark {operation.target_id}")
        if target.labeler_id != operation.labeler_id:
            raise ConflictError(f"that verdict is {target.labeler_id}'s", remedy="Undo your own, or use --as")
        if preferences_table.is_revoked(connection, operation.target_id):
            raise ConflictError("that verdict was already undone")
        return target

    def _state(self, connection: duckdb.DuckDBPyConnection, queue: LabelQueue, example_id: str) -> PairState:
        if queue.is_open(example_id):
            return "open"
        return preferences_table.pair_state(connection, queue.labeler, example_id)


def _stamped(operation: T) -> T:
    return operation if operation.created_at > 0 else replace(operation, created_at=time.time())
