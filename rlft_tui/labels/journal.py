"""preferences.jsonl: every label operation, on disk before it is acknowledged.

The database alone can lose committed rows without a word (one whose write-ahead
log was deleted opens clean). The journal is what each start compares it with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.labels.operation_codec import journalled_from, plain_values
from rlft_tui.labels.operations import Operation

_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct):
    """An operation's line, of which nothing but the id is wanted."""

    id: str = ""


class PreferenceJournal:
    """Appends operations durably. Not thread-safe: the writer's lock guards it.

    Opening cuts off a half-written last line: its write never returned, so it was
    never acknowledged.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fdatasync) -> None:
        self.path = path
        self._sync = sync
        self.warnings: list[str] = []
        """What was found damaged, for people."""
        new = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        if new:
            _sync_folder(path.parent)
        self._end = os.fstat(self._descriptor).st_size
        self._cut_torn_line()

    def append(self, operations: Iterable[Operation]) -> int:
        """Write; returns the length before, for ``cut_back``. Durable after ``sync``.

        On a full or failing disk nothing of it stays and UnavailableError is raised.
        """
        return self.append_lines([encoded(operations)])

    def append_lines(self, pieces: Iterable[bytes]) -> int:
        """``append`` of lines that are encoded already, in pieces of any size."""
        before = self._end
        written = 0
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                written += len(piece)
        except OSError as error:
            self.cut_back(before)
            raise self._failed(error) from None
        self._end = before + written
        return before

    def sync(self) -> None:
        """Returns once everything appended survives a power cut."""
        try:
            self._sync(self._descriptor)
        except OSError as error:
            raise self._failed(error) from None

    def cut_back(self, length: int) -> None:
        """Take back what was appended after ``length``: it will not be acknowledged."""
        os.ftruncate(self._descriptor, length)
        self._end = length

    def is_in_place(self) -> bool:
        """False once the file at the path is another one or gone."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        own = os.fstat(self._descriptor)
        return (found.st_ino, found.st_dev) == (own.st_ino, own.st_dev)

    def read(self) -> Iterator[Operation]:
        """Every operation, oldest first; unreadable lines are counted in ``warnings``."""
        return self.read_missing(set())

    def read_missing(self, unseen: set[str]) -> Iterator[Operation]:
        """Operations whose id is not in ``unseen``, oldest first; ids that are found leave it.

        Of the others' lines only the id is decoded, a tenth of the work.
        """
        bad: list[int] = []
        decode, decode_id = msgspec.json.Decoder().decode, msgspec.json.Decoder(_Named).decode
        with self.path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    if (name := decode_id(line).id) in unseen:
                        unseen.discard(name)
                    else:
                        yield journalled_from(decode(line))
                except (msgspec.DecodeError, RlftError, UnicodeDecodeError):
                    bad.append(number)
        if bad:
            self.warnings.append(
                f"{self.path.name}: {len(bad)} unreadable line(s) passed over, the first is line {bad[0]}"
            )

    def close(self) -> None:
        os.close(self._descriptor)

    def _failed(self, error: OSError) -> UnavailableError:
        return UnavailableError(
            f"the verdict could not be stored ({error.strerror})",
            where=str(self.path),
            remedy="Free disk space and give it again",
        )

    def _cut_torn_line(self) -> None:
        if not self._end or os.pread(self._descriptor, 1, self._end - 1) == b"\n":
            return
        start = self._last_newline() + 1
        torn = os.pread(self._descriptor, self._end - start, start)
        try:
            journalled_from(msgspec.json.decode(torn))
        except (msgspec.DecodeError, RlftError, UnicodeDecodeError):
            self.cut_back(start)
            self.warnings.append(
                f"{self.path.name}: a half-written last line was removed "
                f"({len(torn)} bytes, never acknowledged)"
            )
        else:
            # Only the newline is missing: the operation is whole and is kept.
            self._end += os.write(self._descriptor, b"\n")

    def _last_newline(self, block: int = 65536) -> int:
        position = self._end
        while position > 0:
            start = max(0, position - block)
            found = os.pread(self._descriptor, position - start, start).rfind(b"\n")
            if found >= 0:
                return start + found
            position = start
        return -1


def encoded(operations: Iterable[Operation]) -> bytes:
    """Operations as the journal's lines."""
    return b"".join([_encode(plain_values(one)) + b"\n" for one in operations])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
