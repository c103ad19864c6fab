"""A backup is whole or absent, restores what it held, and never costs what stands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlft_tui.database.backup import (
    daily_due,
    list_backups,
    make_backup,
    prune_daily,
    remove_unfinished,
    restore_backup,
)
from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.pairs.pairs_table import add_pairs, count_pairs, pair_by_id, store_pairs
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Message

DAY = 86_400.0
PAIR = ResponsePair(
    id="p1",
    prompt="Où est l'âne? \x00 \N{PARTY POPPER}",
    response_a="It's 'here'",
    response_b="",
    model_a="base",
    model_b="tuned",
    category="quotes\"and'more",
    source="it's a file.csv",
    context=(Message("system", "Be kind."),),
    settings={"a": {"seed": 2**53, "temperature": 0.1}},
    created_at=1_700_000_000.123,
)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    folder = tmp_path / "it's a workspace"
    folder.mkdir()
    return Workspace(folder)


def add_pair(database: Database, pair: ResponsePair) -> None:
    with database.write() as connection:
        add_pairs(connection, [pair])


def stored(place: Workspace) -> list[ResponsePair]:
    with open_database(place) as database, database.reader() as connection:
        rows = connection.execute("select id from examples order by id").fetchall()
        return [pair_by_id(connection, identity) for (identity,) in rows]


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "backups" not in path.relative_to(folder).parts
    }


def test_a_restored_backup_holds_what_was_there_when_it_was_made(place: Workspace) -> None:
    place.journal.write_bytes(b'{"id": "v1"}\n')
    with open_database(place) as database:
        add_pair(database, PAIR)
        path = make_backup(database, place)
        add_pair(database, ResponsePair("later", "q", "x", "y"))

    aside = restore_backup(path, place)

    assert stored(place) == [PAIR]
    old = Workspace(aside)
    assert old.database.is_file()
    assert [pair.id for pair in stored(old)] == ["later", "p1"]
    assert sorted(one.name for one in place.root.iterdir()) == [
        "backups",
        "preferences.jsonl",
        "rlft.duckdb",
        "workspace.lock",
    ]


def test_restoring_keeps_the_journal_unless_told_otherwise(place: Workspace) -> None:
    place.journal.write_bytes(b'{"id": "v1"}\n{"id": "to')
    with open_database(place) as database:
        path = make_backup(database, place)
    assert (path / "preferences.jsonl").read_bytes() == b'{"id": "v1"}\n', "a line being written is left out"
    place.journal.write_bytes(b'{"id": "v1"}\n{"id": "v2"}\n')

    restore_backup(path, place)
    assert place.journal.read_bytes() == b'{"id": "v1"}\n{"id": "v2"}\n'

    aside = restore_backup(path, place, keep_journal=False)
    assert place.journal.read_bytes() == b'{"id": "v1"}\n'
    assert (aside / "preferences.jsonl").read_bytes() == b'{"id": "v1"}\n{"id": "v2"}\n'


def test_a_lost_workspace_comes_back_whole_from_its_backup(place: Workspace) -> None:
    place.journal.write_bytes(b'{"id": "v1"}\n')
    with open_database(place) as database:
        add_pair(database, PAIR)
        path = make_backup(database, place)
    place.database.unlink()
    place.journal.unlink()

    restore_backup(path, place)

    assert stored(place) == [PAIR]
    assert place.journal.read_bytes() == b'{"id": "v1"}\n'


def test_data_sets_come_back_with_their_backup(place: Workspace) -> None:
    for name in ("lost", "kept", ".half.partial"):
        (place.datasets / name).mkdir(parents=True)
        (place.datasets / name / "train.jsonl").write_text(name)
    with open_database(place) as database:
        path = make_backup(database, place)
    shutil.rmtree(place.datasets / "lost")
    (place.datasets / "kept" / "note").write_text("mine")

    restore_backup(path, place)

    assert (place.datasets / "lost" / "train.jsonl").read_text() == "lost"
    assert (place.datasets / "kept" / "note").read_text() == "mine"
    assert not (path / "datasets" / ".half.partial").exists()


def test_a_backup_is_one_moment_while_others_write(place: Workspace) -> None:
    with open_database(place) as database:
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                with database.write() as connection:
                    connection.execute("insert into labelers values ($1, '', 0)", [str(number)])
                    connection.execute(
                        "insert into models values ($1, '', '', '', '', '', '', 0)", [str(number)]
                    )

        writer = threading.Thread(target=write)
        writer.start()
        try:
            paths = [make_backup(database, place, now=1e9 + number) for number in range(3)]
        finally:
            stop.set()
            writer.join()

    for backup in list_backups(place):
        assert backup.rows["labelers"] == backup.rows["models"]
    restore_backup(paths[-1], place)
    with open_database(place) as database, database.reader() as connection:
        both = "select (select count(*) from labelers), (select count(*) from models)"
        ((labelers, models),) = connection.execute(both).fetchall()
    assert labelers == models


def test_many_rows_are_backed_up_and_restored_in_order(place: Workspace) -> None:
    pairs = [ResponsePair(f"p{n:05}", f"prompt {n}", "x" * 50, "y" * 50) for n in range(5000)]
    with open_database(place) as database:
        with database.write() as connection:
            store_pairs(connection, pairs)
        path = make_backup(database, place)

    restore_backup(path, place)

    with open_database(place) as database, database.reader() as connection:
        assert count_pairs(connection) == 5000
        order = connection.execute("select id from examples order by rowid").fetchall()
        assert [identity for (identity,) in order] == [pair.id for pair in pairs]


def test_restoring_while_the_server_runs_is_refused(place: Workspace) -> None:
    with open_database(place) as database:
        path = make_backup(database, place)
        with pytest.raises(ConflictError, match=f"held by process {os.getpid()}"):
            restore_backup(path, place)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("examples.parquet", None),
        ("examples.parquet", b"PAR1 not really PAR1"),
        ("backup.json", None),
        ("backup.json", b"{"),
        ("backup.json", b"[]"),
        ("backup.json", b'{"format": 99, "created_at": 0, "automatic": true, "migrations": [], "rows": {}}'),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(
    place: Workspace, file: str, content: bytes | None
) -> None:
    with open_database(place) as database:
        add_pair(database, PAIR)
        path = make_backup(database, place)
    if content is None:
        (path / file).unlink()
    else:
        (path / file).write_bytes(content)
    before = everything(place.root)

    with pytest.raises(RlftError) as caught:
        restore_backup(path, place)

    assert str(path) in str(caught.value)
    assert everything(place.root) == before
    assert stored(place) == [PAIR]


def test_a_backup_that_lacks_rows_or_is_newer_is_refused(place: Workspace) -> None:
    with open_database(place) as database:
        add_pair(database, PAIR)
        path = make_backup(database, place)
    manifest = path / "backup.json"
    values = json.loads(manifest.read_text())

    manifest.write_text(json.dumps({**values, "rows": {**values["rows"], "examples": 2}}))
    with pytest.raises(RlftError, match="has 1 rows of examples and should have 2"):
        restore_backup(path, place)

    manifest.write_text(json.dumps({**values, "migrations": [*values["migrations"], "from_the_future"]}))
    with pytest.raises(RlftError, match="newer rlft"):
        restore_backup(path, place)
    assert stored(place) == [PAIR]


def test_a_folder_that_is_no_backup_is_not_found(place: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no backup here"):
        restore_backup(place.root / "nowhere", place)


def test_an_unfinished_backup_is_none(place: Workspace) -> None:
    (place.backups / "20260101T000000Z.partial").mkdir(parents=True)
    with open_database(place) as database:
        first = make_backup(database, place, now=0.0)
        second = make_backup(database, place, now=0.0)
    assert first != second
    assert {backup.path for backup in list_backups(place)} == {first, second}


def test_daily_backups_are_due_after_a_day_and_pruned_by_age(place: Workspace) -> None:
    assert daily_due(place, now=0.0)
    with open_database(place) as database:
        by_hand = make_backup(database, place, now=0.0)
        daily = [make_backup(database, place, automatic=True, now=day * DAY) for day in range(1, 5)]
    assert not daily_due(place, now=4.5 * DAY)
    assert daily_due(place, now=5 * DAY)

    assert prune_daily(place, keep=2) == [daily[1], daily[0]]

    assert [backup.path for backup in list_backups(place)] == [daily[3], daily[2], by_hand]
    assert prune_daily(place, keep=2) == []
    prune_daily(place, keep=0)
    assert [backup.path for backup in list_backups(place)] == [by_hand]


@pytest.fixture
def small_disk(place: Workspace) -> Iterator[Path]:
    """backups/ on a file system of 256 kB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    place.backups.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place.backups)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place.backups
    finally:
        subprocess.run(["umount", "-l", str(place.backups)], check=True)


def test_a_full_disk_leaves_no_half_backup(place: Workspace, small_disk: Path) -> None:
    with open_database(place) as database:
        with database.write() as connection:
            rows = [ResponsePair(str(n), os.urandom(400).hex(), "a", "b") for n in range(2000)]
            add_pairs(connection, rows)
        with pytest.raises(UnavailableError, match="the disk is full"):
            make_backup(database, place)
        assert list(small_disk.iterdir()) == []
        with database.reader() as connection:
            assert count_pairs(connection) == 2000


def test_what_a_killed_backup_has_left_is_removed_and_whole_ones_stay(place: Workspace) -> None:
    with open_database(place) as database:
        whole = make_backup(database, place)
    left = whole.with_name(f"{whole.name}-2.partial")
    left.mkdir()
    (left / "examples.parquet").write_bytes(b"half")
    remove_unfinished(place)
    assert [path.name for path in place.backups.iterdir()] == [whole.name]
