"""Nothing that was acknowledged is lost, and nothing is there twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import NotFoundError, UnavailableError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Mark, Preference, Revocation
from rlft_tui.paths import Workspace
from rlft_tui.server.server_record import read_record
from tests.conftest import add_pairs, is_alive, kill_server, stop_server, wait_for
from tests.faults.labelling import Labeller, stored_ids

KILLS = 50


@pytest.mark.timeout(900)
def test_fifty_kills_while_labelling_lose_nothing_and_double_nothing(
    client: WorkspaceClient, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [pair.id for pair in add_pairs(client, 20_000)]
    chance = random.Random(2)
    with Labeller(client, pairs) as labeller:
        for _ in range(KILLS):
            record = read_record(workspace)
            goal = len(labeller.acknowledged) + chance.randrange(1, 6)
            wait_for(lambda goal=goal: len(labeller.acknowledged) >= goal, "verdicts to be acknowledged")
            killed = kill_server(workspace)
            assert record is not None
            assert record.pid == killed
            wait_for(
                lambda killed=killed: (now := read_record(workspace)) is not None and now.pid != killed,
                "a new server",
            )
    stored = stored_ids(client)
    with capsys.disabled():
        acknowledged = len(labeller.acknowledged)
        sys.stdout.write(f"\n{KILLS} kills: {acknowledged} verdicts acknowledged, {len(stored)} stored\n")
    assert labeller.errors == []
    assert len(stored) == len(set(stored))
    assert set(labeller.acknowledged) <= set(stored)
    # Each pair was judged by one request: a retry that stored a second row would show here.
    assert len({one.example_id for one in client.labels(limit=1_000_000)}) == len(stored)
    assert journal_ids(workspace) >= set(stored)


def journal_ids(workspace: Workspace) -> set[str]:
    return {json.loads(line)["id"] for line in workspace.journal.read_bytes().splitlines()}


def delete(wal: Path) -> None:
    wal.unlink()


def garble_header(wal: Path) -> None:
    wal.write_bytes(bytes(64) + wal.read_bytes()[64:])


def flip_a_byte(wal: Path) -> None:
    content = bytearray(wal.read_bytes())
    content[len(content) * 2 // 3] ^= 0xFF
    wal.write_bytes(bytes(content))


def cut_in_half(wal: Path) -> None:
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2])


@pytest.mark.parametrize("damage", [delete, garble_header, flip_a_byte, cut_in_half])
def test_verdicts_lost_with_the_write_ahead_log_come_back_from_the_journal(
    workspace: Workspace, damage: Callable[[Path], None]
) -> None:
    with connect(workspace) as client:
        pairs = add_pairs(client, 60)
        client.shutdown()
    client = connect(workspace)
    given = [Preference(new_id(), pair.id, "ada", "a") for pair in pairs[:40]]
    for one in given:
        client.add_label(one)
    client.add_label(Mark(new_id(), pairs[41].id, "ada", "skip"))
    client.add_label(Mark(new_id(), pairs[42].id, "ada", "flag"))
    client.add_label(Revocation(new_id(), given[0].id, "ada"))
    before, progress = client.labels(), client.queue("ada").progress
    kill_server(workspace)
    damage(Path(f"{workspace.database}.wal"))

    assert client.labels() == before
    after = client.queue("ada").progress
    assert (after.labelled, after.skipped, after.flagged, after.remaining) == (39, 1, 1, 19)
    assert after.labelled == progress.labelled
    assert any("came back from the journal" in line for line in client.health().warnings)
    client.close()


def test_a_torn_journal_is_reported_and_everything_acknowledged_is_there(workspace: Workspace) -> None:
    client = connect(workspace)
    pairs = add_pairs(client, 10)
    with Labeller(client, [pair.id for pair in pairs]) as labeller:
        wait_for(lambda: len(labeller.acknowledged) == len(pairs), "ten verdicts")
    kill_server(workspace)
    with workspace.journal.open("ab") as journal:
        journal.write(b'{"kind":"preference","id":"half')

    assert sorted(stored_ids(client)) == sorted(labeller.acknowledged)
    assert any("half-written last line" in line for line in client.health().warnings)
    assert workspace.journal.read_bytes().count(b"\n") == len(pairs)
    client.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_nothing_acknowledged_is_lost(small_disk: Path) -> None:
    workspace = create_workspace(small_disk / "workspace")
    workspace.settings.write_text("daily_backups = 0\n")
    client = connect(workspace)
    pairs = iter(pair.id for pair in add_pairs(client, 2000))
    acknowledged: list[str] = []

    def label() -> None:
        one = Preference(new_id(), next(pairs), "ada", "tie", reasoning="r" * 2000)
        client.add_label(one)
        acknowledged.append(one.id)

    for _ in range(20):
        label()
    filler = small_disk / "filler"
    fill(filler)
    errors: list[UnavailableError] = []
    for _ in range(1500):
        try:
            label()
        except UnavailableError as error:
            errors.append(error)
            if len(errors) == 5:
                break
    assert len(errors) == 5, "the disk never filled up"
    # Even a server that starts on a full disk lets people see what they have.
    os.kill(client.health().pid, signal.SIGKILL)
    assert set(acknowledged) <= set(stored_ids(client))
    for error in errors:
        assert "No space left" in str(error) or "disk is full" in str(error)
        assert "\n" not in str(error)
    filler.unlink()

    label()
    assert set(acknowledged) <= set(stored_ids(client))
    os.kill(client.health().pid, signal.SIGKILL)
    stored = stored_ids(client)
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    client.shutdown()
    client.close()


def fill(path: Path) -> None:
    """Take all the space that is left but a few pages."""
    with path.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                continue


STARTER = """
import sys
from pathlib import Path
from rlft_tui.client.connection import connect
from rlft_tui.paths import Workspace
with connect(Workspace(Path(sys.argv[1]))) as client:
    print(client.health().pid)
"""


def test_eight_starters_get_one_server(workspace: Workspace) -> None:
    def start(_: int) -> str:
        command = [sys.executable, "-c", STARTER, str(workspace.root)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with ThreadPoolExecutor(8) as pool:
        pids = set(pool.map(start, range(8)))
    record = read_record(workspace)
    assert record is not None
    assert pids == {str(record.pid)}
    assert workspace.server_log.read_text().count(" serving ") == 1


def test_of_servers_started_by_hand_at_once_one_owns_the_workspace(workspace: Workspace) -> None:
    command = [sys.executable, "-m", "rlft_tui.server.main", str(workspace.root)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        wait_for(lambda: sum(one.poll() is None for one in started) == 1, "all but one to give up")
        owner = next(one for one in started if one.poll() is None)
        with connect(workspace, start=False) as client:
            assert client.health().pid == owner.pid
        for one in started:
            if one is not owner:
                assert one.returncode == 2
                assert one.stderr is not None
                assert f"held by process {owner.pid}" in one.stderr.read().splitlines()[-1]
    finally:
        for one in started:
            one.terminate()
            one.communicate(timeout=60)


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "moved"])
def test_a_server_whose_workspace_was_moved_away_stores_nothing_and_ends(
    workspace: Workspace, tmp_path: Path, replaced: bool
) -> None:
    client = connect(workspace)
    pairs = add_pairs(client, 5)
    kept = Preference(new_id(), pairs[0].id, "ada", "a")
    client.add_label(kept)
    ghost = client.health().pid
    moved = tmp_path / "moved"
    workspace.root.rename(moved)
    if replaced:
        create_workspace(workspace.root)
    # Refused by the old server, or, when that had ended already, by a new one without the pair.
    with pytest.raises((UnavailableError, NotFoundError)):
        client.add_label(Preference(new_id(), pairs[1].id, "ada", "a"))
    wait_for(lambda: not is_alive(ghost), "the ghost to end")
    client.close()
    stop_server(workspace)

    with connect(Workspace(moved)) as found:
        assert stored_ids(found) == [kept.id]
        assert found.health().warnings == ()
    stop_server(Workspace(moved))
