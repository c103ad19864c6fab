"""The lock that makes one process the owner of a workspace's database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from rlft_tui.errors import ConflictError, UnavailableError

_TRIES = 4


class WorkspaceLock:
    """An flock on ``workspace.lock``, taken before the database is opened and kept until after.

    DuckDB's own lock is not enough: 2.0.0 reads the file's header before it locks,
    so two processes that race to open it can lose acknowledged commits.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> WorkspaceLock:
        """The lock, at once or not at all: ConflictError names the process that holds it."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UnavailableError(
                f"cannot open the lock file ({error.strerror})", where=str(path), remedy="See rlft doctor"
            ) from None
        if not _lock(descriptor):
            os.close(descriptor)
            raise _held(path) from None
        # A full disk must not keep the workspace shut: the pid in the file is only a help to people.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Let another process take it. Safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> bool:
    """Try a few times: lock_holder() in another process takes the lock for an instant."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(0.01)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def lock_holder(path: Path) -> int | None:
    """The pid of the living process that holds the lock, if that can be told."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(descriptor, 32, 0).decode("ascii", errors="replace").strip()
        return int(text) if text.isdecimal() else None
    finally:
        os.close(descriptor)
    return None


def _held(path: Path) -> ConflictError:
    holder = lock_holder(path)
    who = f"process {holder}" if holder else "another process"
    return ConflictError(
        f"the workspace is held by {who}",
        where=str(path.parent),
        remedy="Use the running server, or end it first",
    )
