"""One owner, one writer, many readers; nothing committed is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rlft_tui.database.connection import Database, open_database
from rlft_tui.database.workspace_lock import WorkspaceLock, lock_holder
from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.paths import Workspace

OWNER = Path(__file__).with_name("owner.py")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def database(place: Workspace) -> Iterator[Database]:
    with open_database(place) as opened:
        yield opened


def start_owner(place: Workspace, *, first: int = 0, count: int, then: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(OWNER), str(place.root), str(first), str(count), then],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def leave_a_wal(place: Workspace, count: int = 20) -> Path:
    """The write-ahead log of an owner that died with ``count`` rows in it."""
    owner = start_owner(place, count=count, then="die")
    owner.communicate(timeout=60)
    wal = Path(f"{place.database}.wal")
    assert wal.stat().st_size > 0
    return wal


def add(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute("insert into labelers values ($1, '', 0)", [name])


def names(database: Database) -> list[str]:
    with database.reader() as connection:
        return [name for (name,) in connection.execute("select id from labelers order by id").fetchall()]


def test_a_write_is_kept_and_a_failed_one_is_not(place: Workspace) -> None:
    with open_database(place) as database:
        add(database, "ada")
        with pytest.raises(duckdb.CatalogException), database.write() as connection:
            connection.execute("insert into labelers values ('bob', '', 0); select * from nowhere")
        with pytest.raises(duckdb.ConstraintException):
            add(database, "ada")
        add(database, "eve")
        assert names(database) == ["ada", "eve"]

    with open_database(place) as database:
        assert names(database) == ["ada", "eve"]
        assert database.warnings == []


def test_a_reader_keeps_its_snapshot_while_others_write(database: Database) -> None:
    with database.reader() as connection:
        count = "select count(*) from labelers"
        assert connection.execute(count).fetchall() == [(0,)]
        add(database, "ada")
        assert connection.execute(count).fetchall() == [(0,)]
    assert names(database) == ["ada"]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(duckdb.TransactionException, match="read-only"), database.reader() as connection:
        connection.execute("insert into labelers values ('ada', '', 0)")
    assert names(database) == []


def test_a_write_inside_a_write_is_told_instead_of_waiting_for_itself(database: Database) -> None:
    with pytest.raises(RuntimeError, match="wait for itself"), database.write(), database.write():
        pass
    add(database, "ada")
    assert names(database) == ["ada"]


def test_many_threads_write_and_read(database: Database) -> None:
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(20):
                add(database, f"{thread}-{number:02}")
                assert f"{thread}-{number:02}" in names(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(names(database)) == 240


def test_a_second_owner_is_refused_and_told_who_holds_it(place: Workspace) -> None:
    owner = start_owner(place, count=1, then="wait")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "open\n"

    assert lock_holder(place.lock) == owner.pid
    with pytest.raises(ConflictError, match=f"held by process {owner.pid}"):
        open_database(place)

    owner.communicate("", timeout=60)
    assert owner.returncode == 0
    assert lock_holder(place.lock) is None
    with open_database(place) as database:
        assert names(database) == ["k000000"]


def test_the_lock_outlives_neither_close_nor_a_failed_open(place: Workspace) -> None:
    open_database(place).close()
    place.database.write_bytes(b"no database at all" * 1000)
    for _ in range(2):
        with pytest.raises(RlftError, match="damaged"):
            open_database(place)
    WorkspaceLock.take(place.lock).release()


def test_using_a_closed_database_is_an_error(place: Workspace) -> None:
    database = open_database(place)
    database.close()
    database.close()
    with pytest.raises(UnavailableError, match="closed"):
        names(database)


def test_kill_9_loses_nothing_that_was_committed(place: Workspace) -> None:
    acknowledged: list[str] = []
    for attempt in range(4):
        owner = start_owner(place, first=10_000 * attempt, count=9_999, then="wait")
        assert owner.stdout is not None
        for line in owner.stdout:
            if line.startswith("k"):
                acknowledged.append(line.strip())
            if len(acknowledged) >= 150 * (attempt + 1):
                break
        owner.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in owner.stdout if re.fullmatch(r"k\d{6}\n", line)]
        owner.communicate(timeout=60)

    with open_database(place) as database:
        stored = names(database)
        assert database.warnings == []
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


def test_processes_that_race_to_open_lose_nothing(place: Workspace) -> None:
    racers = [start_owner(place, first=1000 * number, count=8, then="race") for number in range(4)]
    acknowledged = [line for racer in racers for line in racer.communicate(timeout=120)[0].split()]

    assert [racer.returncode for racer in racers] == [0] * 4
    assert len(acknowledged) == 32
    with open_database(place) as database:
        assert names(database) == sorted(acknowledged)
        assert database.warnings == []


@pytest.mark.parametrize("offset", [0.3, 0.6, 0.95])
def test_a_damaged_wal_is_set_aside_and_its_sound_beginning_kept(place: Workspace, offset: float) -> None:
    wal = leave_a_wal(place)
    content = bytearray(wal.read_bytes())
    # Inside a row's text: far from the length fields, whose damage looks like a torn tail.
    spot = content.index(b"e" * 40, int(len(content) * offset)) + 20
    content[spot] ^= 0x55
    wal.write_bytes(content)

    with open_database(place) as database:
        kept = names(database)
        assert len(database.warnings) == 1
        assert "write-ahead log was damaged" in database.warnings[0]
        add(database, "new")
    whole = [f"k{number:06}" for number in range(20)]
    assert kept == whole[: len(kept)]
    assert len(kept) < 20
    (aside,) = place.root.glob("rlft.duckdb.wal.damaged-*")
    assert aside.read_bytes() == bytes(content)

    with open_database(place) as database:
        assert names(database) == [*kept, "new"]
        assert database.warnings == []


def test_a_wal_of_another_database_is_set_aside(place: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "other")
    other.root.mkdir()
    foreign = leave_a_wal(other).read_bytes()
    with open_database(place) as database:
        add(database, "ada")
    Path(f"{place.database}.wal").write_bytes(foreign)

    with open_database(place) as database:
        assert names(database) == ["ada"]
        assert "without it" in database.warnings[0]


@pytest.mark.parametrize("damage", ["deleted", "torn", "trailing garbage", "empty"])
def test_a_wal_cut_short_opens_with_what_is_left(place: Workspace, damage: str) -> None:
    wal = leave_a_wal(place)
    content = wal.read_bytes()
    if damage == "deleted":
        wal.unlink()
    else:
        cut = {"torn": content[:-30], "trailing garbage": content + b"garbage" * 9, "empty": b""}
        wal.write_bytes(cut[damage])

    with open_database(place) as database:
        kept = names(database)
        add(database, "new")
    expected = {"deleted": 0, "empty": 0, "torn": 19, "trailing garbage": 20}
    assert len(kept) == expected[damage]
    with open_database(place) as database:
        assert names(database) == [*kept, "new"]


def test_a_damaged_file_names_the_backup_to_restore(place: Workspace) -> None:
    with open_database(place) as database:
        add(database, "ada")
    content = bytearray(place.database.read_bytes())
    content[4096 : 3 * 4096] = b"\x00" * (2 * 4096)
    place.database.write_bytes(content)
    backup = place.backups / "20260101T000000Z"
    backup.mkdir(parents=True)
    (backup / "backup.json").write_text("{}")

    with pytest.raises(RlftError) as caught:
        open_database(place)

    assert "database is damaged" in caught.value.what
    assert str(backup) in caught.value.remedy


def test_a_checkpointed_write_does_not_need_the_wal(place: Workspace) -> None:
    with open_database(place) as database:
        with database.reader() as reader:
            reader.execute("select * from labelers").fetchall()
            with database.write(checkpoint=True) as connection:
                connection.execute("insert into labelers values ('ada', '', 0)")
        wal = Path(f"{place.database}.wal")
        assert not wal.exists() or wal.stat().st_size == 0
        assert names(database) == ["ada"]


def test_an_empty_file_that_a_full_disk_left_is_a_new_database(place: Workspace) -> None:
    place.database.touch()
    with open_database(place) as database:
        add(database, "ada")
        assert names(database) == ["ada"]
        assert database.warnings == []


def test_a_wal_beside_a_damaged_file_is_left_alone(place: Workspace) -> None:
    wal = leave_a_wal(place)
    before = wal.read_bytes()
    place.database.write_bytes(b"\x00" * 20_000)

    with pytest.raises(RlftError, match="database is damaged"):
        open_database(place)

    assert wal.read_bytes() == before
    assert list(place.root.glob("*.damaged-*")) == []


def test_a_database_that_another_program_has_open_is_told(place: Workspace) -> None:
    open_database(place).close()
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(place.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(UnavailableError, match="another program has the database open"):
            open_database(place)
        other.communicate(b"", timeout=60)
    open_database(place).close()


def test_a_missing_file_is_told_when_there_were_verdicts(place: Workspace) -> None:
    open_database(place).close()
    place.journal.write_bytes(b"{}\n")
    place.database.unlink()

    with open_database(place) as database:
        assert "the database was missing and a new one was made" in database.warnings[0]
    with open_database(place) as database:
        assert database.warnings == []


def test_the_owner_never_drops_the_lock_that_duckdb_holds(database: Database, place: Workspace) -> None:
    from rlft_tui.database.backup import list_backups, make_backup

    def posix_lock() -> list[str]:
        inode = place.database.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
        return [line for line in lines if "POSIX" in line and line.split()[5].endswith(f":{inode}")]

    if not Path("/proc/locks").exists() or not posix_lock():
        pytest.skip("this system does not list its file locks")
    add(database, "ada")
    make_backup(database, place)
    list_backups(place)
    database.checkpoint()

    assert posix_lock()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace on a file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield Workspace(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, *, leaving: int) -> Path:
    """A file that takes all space but ``leaving`` bytes."""
    path = folder / "fill"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    written = 0
    try:
        while True:
            written += os.write(descriptor, b"x" * 4096)
    except OSError:
        os.ftruncate(descriptor, max(0, written - leaving))
    finally:
        os.close(descriptor)
    return path


@pytest.mark.parametrize("leaving", [0, 160 * 1024], ids=["at the write-ahead log", "at a checkpoint"])
def test_a_full_disk_is_told_loses_nothing_and_passes(small_disk: Workspace, leaving: int) -> None:
    with open_database(small_disk) as database:
        acknowledged: list[str] = []
        refusals: list[UnavailableError] = []
        filler = fill(small_disk.root, leaving=leaving)
        for number in range(3000):
            try:
                add(database, f"k{number:06}")
                acknowledged.append(f"k{number:06}")
            except UnavailableError as error:
                refusals.append(error)
                if len(refusals) == 5:
                    break
        assert {error.what for error in refusals} == {"the disk is full"}
        assert set(acknowledged) <= set(names(database)), "reading goes on while the disk is full"

        filler.unlink()
        add(database, "after")
        assert {*acknowledged, "after"} <= set(names(database))

    with open_database(small_disk) as database:
        assert {*acknowledged, "after"} <= set(names(database))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot open the lock file"):
        open_database(Workspace(tmp_path / "nowhere"))
