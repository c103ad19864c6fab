"""Where labels are written: in the journal, in the database, then acknowledged."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

import duckdb
from msgspec.structs import replace

from rlft_tui.counted import counted, plural
from rlft_tui.database.connection import Database
from rlft_tui.errors import ConflictError, NotFoundError, UnavailableError
from rlft_tui.labels import labelers_table, preferences_table
from rlft_tui.labels.journal import PreferenceJournal, encoded
from rlft_tui.labels.label_desks import LabelDesks
from rlft_tui.labels.label_queue import REPEAT, Slot
from rlft_tui.labels.operations import Operation
from rlft_tui.labels.preference import (
    BetterAnswer,
    LabelOperation,
    Preference,
    Progress,
    Recorded,
    Revocation,
)
from rlft_tui.labels.preferences_table import PairState
from rlft_tui.labels.queue_reader import Shares
from rlft_tui.labels.queue_view import QueueView
from rlft_tui.labels.reliability import GoldAnswer

T = TypeVar("T", bound=Operation)
_PIECE = 1 << 20


class LabelTransaction:
    """Label operations that become durable together, or not at all.

    ``connection`` is an open write transaction; other rows may be stored through it too.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.operations: list[Operation] = []
        self._first_seen: dict[str, float] = {}
        self._folder = folder
        self._spool: IO[bytes] | None = None

    def add_imported(self, operations: Sequence[Operation]) -> int:
        """Operations that came with an imported file, a batch at a time; how many were new.

        Their journal lines wait in an unnamed file, so that neither a million of them fill
        the memory nor a crash half-way leaves labels of an import that never was.
        """
        dated = {one.id: one for one in map(stamped, operations)}
        kinds = {type(one) for one in dated.values()}
        known = preferences_table.known_ids(self.connection, list(dated), kinds)
        new = [one for one in dated.values() if one.id not in known]
        preferences_table.insert_new(self.connection, new)
        self._see(new)
        try:
            if new and self._spool is None:
                self._spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by close()
            if new and self._spool is not None:
                self._spool.write(encoded(new))
        except OSError as error:
            raise UnavailableError(
                f"the imported labels could not be kept ({error.strerror})",
                where=str(self._folder),
                remedy="Free disk space; nothing was imported",
            ) from None
        return len(new)

    def lines(self) -> Iterator[bytes]:
        """Everything for the journal, in pieces."""
        if self._spool is not None:
            self._spool.seek(0)
            while piece := self._spool.read(_PIECE):
                yield piece
        if self.operations:
            yield encoded(self.operations)

    def first_seen(self) -> dict[str, float]:
        """Whose labels these are, and when the earliest of each was given."""
        self._see(self.operations)
        return self._first_seen

    def _see(self, operations: Sequence[Operation]) -> None:
        for one in operations:
            if one.labeler_id and one.created_at < self._first_seen.get(one.labeler_id, math.inf):
                self._first_seen[one.labeler_id] = one.created_at

    def is_empty(self) -> bool:
        return self._spool is None and not self.operations

    def close(self) -> None:
        if self._spool is not None:
            with suppress(OSError):
                self._spool.close()


class LabelBook:
    """Every label write and each labeller's queue. Safe to use from several threads.

    A second verdict of one labeller on one pair supersedes the first: the latest that
    was not undone is current, so undoing it brings the one before back.
    """

    def __init__(
        self,
        database: Database,
        journal: PreferenceJournal,
        *,
        guard: Callable[[], None] = lambda: None,
        shares: Shares = Shares(),  # noqa: B008 - frozen
    ) -> None:
        self._database = database
        self._journal = journal
        self._guard = guard
        self._lock = threading.RLock()
        self._importing = threading.Lock()
        self._labelers: set[str] = set()
        """Who is entered among the labellers: a verdict of theirs has nothing to add."""
        self._desks = LabelDesks(database, self._lock, shares)
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="journal")

    def add(self, operation: LabelOperation) -> Progress:
        """Store one operation; it survives any crash once this returns. An id that is
        already stored is acknowledged again.

        NotFoundError: no such pair, or nothing of that id to take back. ConflictError:
        it is another labeller's, or was taken back before. UnavailableError: the disk
        is full or the workspace was replaced; nothing was stored.
        """
        with self._lock:
            try:
                self._store(stamped(operation))
            except duckdb.ConstraintException:
                # Looking for a verdict's id beforehand would cost every verdict a third more.
                with self._database.reader() as connection:
                    if not preferences_table.is_stored(connection, operation):
                        raise
        return self._desks.progress(operation.labeler_id)

    @contextmanager
    def import_transaction(self) -> Iterator[LabelTransaction]:
        """Store any number of pairs and their verdicts in one step, while verdicts are given all the time.

        One import at a time. ConflictError when pairs of the same content were stored meanwhile.
        """
        with self._importing, self._writing(beside=True) as writing:
            yield writing
        self._desks.forget()

    @contextmanager
    def transaction(self, *, queues: bool = True) -> Iterator[LabelTransaction]:
        """Store pairs and the verdicts that come with them in one step.

        ``queues``: whether that can change what anybody is shown next.
        """
        with self._lock:
            with self._writing() as writing:
                yield writing
            if queues:
                self._desks.forget()

    def pairs_changed(self) -> None:
        """Pairs were added: queues and counts are read again when next asked for."""
        self._desks.pairs_changed()

    def next_slots(
        self,
        labeler: str,
        view: QueueView,
        limit: int,
        exclude: Collection[str] = (),
        *,
        peek: bool = False,
        window: str = "",
    ) -> tuple[list[Slot], Progress]:
        """The labeller's next pairs in a view and where they stand in it; unless one only peeks it
        is their view from now on. See ``LabelDesks.next``."""
        return self._desks.next(labeler, view, limit, exclude, peek=peek, window=window)

    def next_ids(self, labeler: str, limit: int, exclude: tuple[str, ...]) -> tuple[list[str], Progress]:
        """The next of all pairs in random order."""
        slots, progress = self.next_slots(labeler, QueueView(), limit, exclude)
        return [slot.example_id for slot in slots], progress

    def progress(self, labeler: str) -> Progress:
        """Where the labeller stands over all pairs; their view stays what it is."""
        return self._desks.progress(labeler, QueueView())

    def set_gold(self, answer: GoldAnswer) -> None:
        """Store what the right verdict on a pair is. NotFoundError: no such pair."""
        with self._lock, self._writing() as writing:
            if not preferences_table.example_exists(writing.connection, answer.example_id):
                raise NotFoundError(f"no pair {answer.example_id}", remedy="rlft pairs list shows them")
            dated = stamped(answer)
            preferences_table.insert_operation(writing.connection, dated)
            writing.operations.append(dated)
        self._desks.pairs_changed()

    def reconcile(self) -> list[str]:
        """Make database and journal agree; what was put back, in words.

        Called at the start, before anyone is answered.
        """
        found: list[str] = []
        with self._lock, self._database.write() as connection:
            unseen = preferences_table.operation_ids(connection)
            missing = list(self._journal.read_missing(unseen))
            put_back = preferences_table.insert_operations(connection, missing)
            if put_back:
                were = f"{counted(put_back, 'label')} {plural(put_back, 'was', 'were')}"
                found.append(f"{were} missing in the database and came back from the journal")
            unseen -= {operation.id for operation in missing}
            if unseen:
                self._journal.append(preferences_table.operations_by_id(connection, sorted(unseen)))
                self._journal.sync()
                were = f"{counted(len(unseen), 'label')} {plural(len(unseen), 'was', 'were')}"
                found.append(f"{were} missing in the journal and added to it")
            self._labelers = labelers_table.add_missing_labelers(connection)
            orphans = preferences_table.count_orphans(connection)
            if orphans:
                are = f"{counted(orphans, 'verdict')} {plural(orphans, 'is', 'are')}"
                found.append(f"{are} on pairs that are not stored: import the pairs again")
        return [*self._journal.warnings, *found]

    def close(self) -> None:
        self._desks.close()
        with self._lock:
            self._syncer.shutdown()
            self._journal.close()

    def _store(self, operation: LabelOperation) -> None:
        labeler = operation.labeler_id
        with self._writing() as writing:
            connection = writing.connection
            if not isinstance(operation, Preference) and preferences_table.is_stored(connection, operation):
                return
            target = self._checked(connection, operation)
            example_id = target.example_id
            before = self._desks.state(connection, labeler, example_id)
            queues = self._desks.concerned(connection, labeler, example_id)
            preferences_table.insert_operation(connection, operation)
            writing.operations.append(operation)
            after: PairState = "judged"
            if not isinstance(operation, Preference):
                after = preferences_table.pair_state(connection, labeler, example_id)
            elif operation.source == REPEAT:
                after = before
        if not isinstance(target, BetterAnswer):
            self._desks.stored(operation, target, before, after, queues)

    @contextmanager
    def _writing(self, *, beside: bool = False) -> Iterator[LabelTransaction]:
        """A write whose operations stand in the journal before the database commits.

        Both are flushed at the same time, and only when both are on disk is the write
        acknowledged: two flushes in a row would cost twice the wait. With ``beside`` others write
        until it comes to that; else the caller has the lock.
        """
        self._check_in_place()
        length: int | None = None
        synced: Future[None] | None = None
        database = self._database.write_beside if beside else self._database.write
        with ExitStack() as turn:
            try:
                with database() as connection:
                    with closing(LabelTransaction(connection, self._journal.path.parent)) as writing:
                        yield writing
                        if beside:
                            turn.enter_context(self._lock)
                            self._check_in_place()
                        seen = {
                            name: at
                            for name, at in writing.first_seen().items()
                            if name not in self._labelers
                        }
                        labelers_table.add_labelers(connection, seen)
                        if not writing.is_empty():
                            length = self._journal.append_lines(writing.lines())
                    if length is not None:
                        synced = self._syncer.submit(self._journal.sync)
                if synced is not None:
                    synced.result()
                self._labelers.update(seen)
            except BaseException:
                if length is not None:
                    if synced is not None:
                        wait([synced])
                    self._journal.cut_back(length)
                    # The commit may have reached the disk all the same: read again what stands.
                    self._desks.forget()
                raise

    def _check_in_place(self) -> None:
        self._guard()
        if not self._journal.is_in_place():
            raise UnavailableError(
                "the label journal was moved or replaced; nothing was stored",
                where=str(self._journal.path),
                remedy="Put it back, or restart the server: rlft server stop",
            )

    def _checked(self, connection: duckdb.DuckDBPyConnection, operation: LabelOperation) -> Recorded:
        """The verdict, mark or written answer that the operation is, or takes back."""
        if not isinstance(operation, Revocation):
            known = self._desks.is_open(operation.labeler_id, operation.example_id)
            if not known and not preferences_table.example_exists(connection, operation.example_id):
                raise NotFoundError(f"no pair {operation.example_id}", remedy="rlft pairs list shows them")
            return operation
        target = preferences_table.find_target(connection, operation.target_id)
        if target is None:
            raise NotFoundError(f"nothing to undo: no verdict or mark {operation.target_id}")
        check_undo(connection, operation, target, "verdict")
        return target


def check_undo(connection: duckdb.DuckDBPyConnection, undo: Revocation, target: Operation, kind: str) -> None:
    """ConflictError when what is to be taken back is another labeller's, or was taken back before.

    ``kind``: what the labeller calls it.
    """
    if target.labeler_id != undo.labeler_id:
        raise ConflictError(f"that {kind} is {target.labeler_id}'s", remedy="Undo your own, or use --as")
    if preferences_table.is_revoked(connection, target.id):
        raise ConflictError(f"that {kind} was already undone")


def stamped(operation: T) -> T:
    """The operation with a time, where it has none."""
    return operation if operation.created_at > 0 else replace(operation, created_at=time.time())
