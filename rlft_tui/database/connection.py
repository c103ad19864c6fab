"""The one way to the workspace's database: one owner, one writer, many readers."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType

import duckdb

from rlft_tui.database.migrations import migrate
from rlft_tui.database.place_table import relocate
from rlft_tui.database.workspace_lock import WorkspaceLock
from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.paths import Workspace

MEMORY_LIMIT = "400MB"
CHECKPOINT_ENTRIES = 500
"""WAL entries after which DuckDB checkpoints: keeps the WAL small and replay short."""
_WAL_REPAIRS = 3
_PATIENCE = 30.0
"""Seconds to wait for transactions under way before a database is closed or opened again."""


def open_database(workspace: Workspace) -> Database:
    """Become the owner of the workspace's database and bring its schema up to date.

    Raises ConflictError when another process owns it, UnavailableError when the disk
    cannot serve it, and RlftError with the remedy when the file is damaged or newer.
    """
    lock = WorkspaceLock.take(workspace.lock)
    try:
        return Database(workspace, lock)
    except BaseException:
        lock.release()
        raise


class Database(AbstractContextManager["Database"]):
    """The open database. Safe to use from any number of threads.

    The .duckdb file must never be opened any other way in this process: closing such a
    descriptor drops DuckDB's POSIX lock.
    """

    def __init__(self, workspace: Workspace, lock: WorkspaceLock) -> None:
        self.path = workspace.database
        self.warnings: list[str] = []
        """What was repaired or lost at the start; for the user to read."""
        self._workspace = workspace
        self._lock = lock
        self._writing = threading.Lock()
        self._writer_thread: int | None = None
        self._state = threading.Condition()
        self._users = 0
        self._broken = False
        self._closed = False
        self._root = self._open()

    @contextmanager
    def write(self, *, checkpoint: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction, one at a time: committed at the end, rolled back on any exception.

        With ``checkpoint`` the rows are moved into the database file at once (10 to 40 ms),
        where they outlive a damaged or deleted WAL: for what no journal holds.

        Raises UnavailableError when the disk is full; nothing was acknowledged then. A
        commit that fails that way may still have reached the disk, so repeat it with the
        same ids.
        """
        if self._writer_thread == threading.get_ident():
            raise RuntimeError("write() inside write() would wait for itself")
        with self._writing:
            self._writer_thread = threading.get_ident()
            try:
                with self._cursor() as cursor:
                    yield from _transaction(cursor, "begin transaction")
                if checkpoint:
                    self._checkpoint()
            finally:
                self._writer_thread = None

    @contextmanager
    def write_beside(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A long transaction that keeps nobody from writing: only its commit waits for its turn.

        ConflictError when another has stored the same keys meanwhile; nothing was stored then.
        """
        with self._cursor() as cursor:
            try:
                yield from _transaction(cursor, "begin transaction", self._writing)
            except (duckdb.ConstraintException, duckdb.TransactionException) as error:
                raise ConflictError(
                    "the same rows were stored by another meanwhile; nothing was stored by this",
                    remedy="Do it again",
                ) from error

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A consistent snapshot that never waits for the writer and cannot write."""
        with self._cursor() as cursor:
            yield from _transaction(cursor, "begin transaction read only")

    def checkpoint(self) -> None:
        """Move everything from the WAL into the database file; if the disk refuses, it stays in the WAL."""
        with self._writing:
            self._checkpoint()

    def _checkpoint(self) -> None:
        # What was committed stands, whatever becomes of this.
        with contextlib.suppress(UnavailableError, duckdb.Error), self._cursor() as cursor:
            cursor.execute("checkpoint")

    def close(self) -> None:
        """Wait for open transactions, checkpoint, close, and only then give up the lock."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._state.wait_for(lambda: self._users == 0, timeout=_PATIENCE)
            # An invalidated instance raises on close; what it had committed is in the WAL.
            with contextlib.suppress(duckdb.Error):
                self._root.close()
            self._lock.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._take_cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            if _is_fatal(error):
                with self._state:
                    self._broken = True
            if (unavailable := _unavailable(error, self.path)) is not None:
                raise unavailable from error
            raise
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.close()
            with self._state:
                self._users -= 1
                self._state.notify_all()

    def _take_cursor(self) -> duckdb.DuckDBPyConnection:
        with self._state:
            if self._broken and not self._closed:
                self._reopen()
            if self._closed:
                raise UnavailableError("the database is closed", where=str(self.path))
            cursor = self._root.cursor()
            self._users += 1
            return cursor

    def _reopen(self) -> None:
        """Replace an instance that DuckDB invalidated; its other users fail at once and leave."""
        if not self._state.wait_for(lambda: self._users == 0, timeout=_PATIENCE):
            raise UnavailableError(
                "the database stopped after a disk error and is still in use",
                where=str(self.path),
                remedy="Try again; if that does not help, restart the server",
            )
        if self._broken:
            with contextlib.suppress(duckdb.Error):
                self._root.close()
            self._root = self._open()
            self._broken = False

    def _open(self) -> duckdb.DuckDBPyConnection:
        # Empty: a full disk took nothing of it when it was first made.
        if self.path.is_file() and not _has_content(self.path) and not _has_content(_wal(self.path)):
            self.path.unlink()
        missing = not self.path.exists() and _has_content(self._workspace.journal)
        connection = self._connect_or_repair()
        if missing:
            self.warnings.append(
                "the database was missing and a new one was made: verdicts come back from the journal, "
                f"pairs do not. {_restore_remedy(self._workspace)}"
            )
        try:
            migrate(connection)
            relocate(connection, str(self._workspace.root.resolve()))
        except duckdb.Error as error:
            connection.close()
            raise _unavailable(error, self.path) or _damaged(error, self._workspace) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_or_repair(self) -> duckdb.DuckDBPyConnection:
        wal = _wal(self.path)
        for attempt in range(_WAL_REPAIRS + 1):
            try:
                return connect_file(self.path)
            except duckdb.Error as error:
                if (unavailable := _unavailable(error, self.path)) is not None:
                    raise unavailable from error
                # Any other trouble is not the WAL's fault: it stays where it is.
                if "replaying WAL" not in str(error) or attempt == _WAL_REPAIRS or not wal.is_file():
                    raise _damaged(error, self._workspace) from error
                self._set_wal_aside(wal, str(error), keep_prefix=attempt < _WAL_REPAIRS - 1)
        raise AssertionError("unreachable")

    def _set_wal_aside(self, wal: Path, error: str, *, keep_prefix: bool) -> None:
        """Keep a damaged WAL under another name; open with its sound beginning, or without it."""
        aside = wal.with_name(f"{wal.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        number = 1
        while aside.exists():
            number += 1
            aside = aside.with_name(f"{aside.name.split('~')[0]}~{number}")
        position = re.search(r"byte position (\d+)", error)
        if keep_prefix and position and 0 < int(position[1]) < wal.stat().st_size:
            shutil.copyfile(wal, aside)
            os.truncate(wal, int(position[1]))
            kept = "its sound beginning was kept"
        else:
            wal.rename(aside)
            kept = "the database was opened without it"
        self.warnings.append(
            f"the write-ahead log was damaged: {kept}, the original is {aside.name}. "
            "Verdicts come back from the journal; import pairs again that are missing"
        )


def connect_file(path: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB file with the house settings; only for a file nobody else can have open."""
    return duckdb.connect(
        str(path),
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": min(4, os.cpu_count() or 1),
            "wal_autocheckpoint_entries": CHECKPOINT_ENTRIES,
            "autoinstall_known_extensions": False,
        },
    )


def _transaction(
    cursor: duckdb.DuckDBPyConnection, begin: str, turn: AbstractContextManager[object] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """``turn``: what is held during the commit alone."""
    cursor.execute(begin)
    try:
        yield cursor
        with turn or contextlib.nullcontext():
            cursor.execute("commit")
    except BaseException:
        # The first error is the one to report; after a failed commit there is nothing to roll back.
        with contextlib.suppress(duckdb.Error):
            cursor.execute("rollback")
        raise


def _is_fatal(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.FatalException) or "database has been invalidated" in str(error)


def _unavailable(error: duckdb.Error, path: Path) -> UnavailableError | None:
    """What the disk or a lost instance did, in words; None for any other error."""
    text = str(error)
    if "No space left" in text or "Disk quota" in text or "not enough disk space" in text.lower():
        return UnavailableError(
            "the disk is full", where=str(path.parent), remedy="Free some space, then try again"
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return UnavailableError(
            f"the request needs more than the database's {MEMORY_LIMIT} of memory",
            where=str(path),
            remedy="Import the file in parts",
        )
    if "Permission denied" in text or "Read-only file system" in text:
        return UnavailableError(
            "the database cannot be written", where=str(path), remedy="Check its owner and mode"
        )
    if "Could not set lock on file" in text:
        return UnavailableError(
            "another program has the database open", where=str(path), remedy="Close it, then try again"
        )
    if _is_fatal(error):
        return UnavailableError(
            "the database had to stop after a disk error",
            where=str(path),
            remedy="Try again; see rlft doctor for disk space",
        )
    return None


def _damaged(error: duckdb.Error, workspace: Workspace) -> RlftError:
    first_line = str(error).splitlines()[0]
    return RlftError(
        f"the database is damaged ({first_line})",
        where=str(workspace.database),
        remedy=_restore_remedy(workspace),
    )


def _restore_remedy(workspace: Workspace) -> str:
    folders = sorted(workspace.backups.glob("[0-9]*/backup.json")) if workspace.backups.is_dir() else []
    if folders:
        return f"Restore the newest backup: rlft restore {folders[-1].parent}"
    return "There is no backup; move the file away to start anew and import the pairs again"


def _wal(path: Path) -> Path:
    return Path(f"{path}.wal")


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
