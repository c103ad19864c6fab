"""The server's life: start on demand, privacy, idle end, replacement, clear failures."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from rlft_tui.client import connection
from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace, read_settings
from rlft_tui.database.connection import open_database
from rlft_tui.database.workspace_lock import lock_holder
from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.paths import Workspace, runtime_folder
from rlft_tui.server.server_record import ServerRecord, read_record, write_record
from tests.conftest import add_pairs, is_alive, kill_server, server_is_down, wait_for

cold_server = pytest.mark.cold_server
"""For what a start does, leaves behind and says; all else goes by servers forked from loaded code."""


def settle(workspace: Workspace) -> None:
    """Wait until nobody holds the workspace."""
    wait_for(lambda: lock_holder(workspace.lock) is None, "the workspace to be free")


@cold_server
def test_the_socket_is_private_and_the_server_is_detached(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    health = client.health()
    assert stat.S_IMODE(workspace.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(runtime_folder().stat().st_mode) == 0o700
    assert os.getsid(health.pid) == health.pid != os.getsid(0)
    assert health.workspace == str(workspace.root)
    assert health.warnings == ()


@cold_server
def test_the_server_never_loads_the_training_stack_or_the_workbench(client: WorkspaceClient) -> None:
    maps = Path(f"/proc/{client.health().pid}/maps").read_text()
    assert "duckdb" in maps
    for library in ("torch", "transformers", "textual", "plotext"):
        assert f"/{library}/" not in maps


def test_a_second_client_finds_the_same_server(client: WorkspaceClient, workspace: Workspace) -> None:
    with connect(workspace) as other:
        assert other.health().pid == client.health().pid


def test_without_permission_to_start_it_says_that_no_server_runs(workspace: Workspace) -> None:
    with pytest.raises(UnavailableError, match="not running"):
        connect(workspace, start=False)


def test_a_client_with_another_runtime_folder_finds_the_server(
    client: WorkspaceClient, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(f"/tmp/rlft-{os.getpid()}-other")
    other.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other))
    try:
        with connect(workspace) as second:
            assert second.health().pid == client.health().pid
    finally:
        for path in sorted(other.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        other.rmdir()


def test_the_record_of_a_copied_workspace_does_not_lead_to_the_original(
    client: WorkspaceClient, tmp_path: Path
) -> None:
    copy = create_workspace(tmp_path / "copy")
    write_record(copy, ServerRecord(client.health().pid, str(client.socket), "0", 0.0))
    assert connection.find_server(copy) is None


@cold_server
def test_a_request_after_kill_9_is_answered_by_a_new_server(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    pairs = add_pairs(client, 3)
    killed = kill_server(workspace)
    assert workspace.socket.exists()
    progress = client.add_label(Preference(new_id(), pairs[0].id, "ada", "a"))
    assert (progress.labelled, progress.remaining) == (1, 2)
    assert client.health().pid != killed


@cold_server
def test_sigterm_checkpoints_and_leaves_nothing_behind(client: WorkspaceClient, workspace: Workspace) -> None:
    pairs = add_pairs(client, 3)
    client.add_label(Preference(new_id(), pairs[0].id, "ada", "a"))
    pid = client.health().pid
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), "the server to end")
    assert not workspace.socket.exists()
    assert read_record(workspace) is None
    assert lock_holder(workspace.lock) is None
    wal = Path(f"{workspace.database}.wal")
    assert not wal.exists() or wal.stat().st_size == 0
    assert client.label_stats().total == 1


def test_shutdown_ends_it_and_the_next_command_starts_it(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    pid = client.health().pid
    client.shutdown()
    assert server_is_down(client)
    with connect(workspace) as again:
        assert again.health().pid != pid


def test_it_ends_itself_when_nobody_is_connected(workspace: Workspace) -> None:
    workspace.settings.write_text("idle_minutes = 0.005\ndaily_backups = 0\n")
    client = connect(workspace)
    pid = client.health().pid
    # An open connection is a client: well past the idle time the server still answers.
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert is_alive(pid)
        time.sleep(0.05)
    assert client.health().pid == pid
    client.close()
    wait_for(lambda: not is_alive(pid), "the idle server to end")
    assert "ending: idle" in workspace.server_log.read_text()


@cold_server
def test_a_server_of_another_version_is_replaced(
    client: WorkspaceClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = client.health().pid
    monkeypatch.setattr(connection, "VERSION", "99.0")
    with connect(workspace) as upgraded:
        assert upgraded.health().pid != old
    wait_for(lambda: not is_alive(old), "the old server to end")


@cold_server
def test_a_failing_start_gives_the_reason_and_the_log(workspace: Workspace) -> None:
    workspace.settings.write_text("lable = 'x'\n")
    with pytest.raises(UnavailableError, match=r"unknown setting 'lable'.*Did you mean labeler") as caught:
        connect(workspace)
    assert caught.value.where == str(workspace.server_log)
    assert "\n" not in str(caught.value)
    assert "unknown setting" in workspace.server_log.read_text()


def test_a_file_that_is_no_socket_is_never_removed(workspace: Workspace) -> None:
    workspace.socket.write_text("mine")
    with pytest.raises(UnavailableError, match="did not start"):
        connect(workspace)
    assert workspace.socket.read_text() == "mine"
    settle(workspace)
    workspace.socket.unlink()


def test_a_stale_socket_is_replaced(workspace: Workspace) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_over:
        left_over.bind(str(workspace.socket))
    with connect(workspace) as client:
        assert client.health().pid


def test_two_clients_of_a_dead_server_get_one_new_one(client: WorkspaceClient, workspace: Workspace) -> None:
    with connect(workspace) as other:
        kill_server(workspace)
        assert other.health().pid == client.health().pid


def test_errors_arrive_as_the_class_they_were_raised_as(client: WorkspaceClient) -> None:
    with pytest.raises(NotFoundError, match="no pair 'nowhere'"):
        client.pair("nowhere")
    with pytest.raises(NotFoundError, match=r"nothing is called .a/\.\./b c."):
        client.pair("a/../b c")
    pairs = add_pairs(client, 1)
    with pytest.raises(RlftError, match="example_id"):
        client._post("/labels", dict, {"kind": "preference", "id": new_id()})
    with pytest.raises(RlftError, match=r"choice"):
        client._post(
            "/labels",
            dict,
            {"kind": "preference", "id": "1", "labeler_id": "ada", "example_id": pairs[0].id, "choice": "c"},
        )
    with pytest.raises(RlftError, match="confidence is 1 to 5"):
        client.add_label(Preference(new_id(), pairs[0].id, "ada", "a", confidence=9))
    with pytest.raises(RlftError, match="limit"):
        client.pairs(limit=-1)
    assert client.label_stats().total == 0


def test_making_a_workspace_again_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    before = workspace.settings.read_text()
    assert create_workspace(workspace.root) == workspace
    assert workspace.settings.read_text() == before
    fresh = create_workspace(tmp_path / "fresh")
    assert read_settings(fresh.settings) == read_settings(create_workspace(tmp_path / "other").settings)
    (tmp_path / "file").write_text("")
    with pytest.raises(RlftError, match="cannot make a workspace"):
        create_workspace(tmp_path / "file")


def test_a_conflict_names_the_process_that_holds_the_workspace(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    with pytest.raises(ConflictError, match=str(client.health().pid)):
        open_database(workspace)


def test_labellers_at_once_each_get_every_verdict_stored(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    pairs = [pair.id for pair in add_pairs(client, 40)]
    names = ["ada", "bob", "cleo", "dan"]

    def label(name: str) -> int:
        with connect(workspace) as own:
            for item in own.queue(name, limit=40).items:
                own.add_label(Preference(new_id(), item.pair.id, name, "tie"))
            return own.queue(name).progress.labelled

    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(label, names)) == [40] * len(names)
    assert client.label_stats().by_labeler == dict.fromkeys(names, 40)
    for name in names:
        assert {one.example_id for one in client.labels(labeler=name)} == set(pairs)


def test_a_server_with_active_runs_is_kept_after_an_upgrade(
    client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "VERSION", "99.0")
    idle = client.health()
    assert connection.is_outdated(idle)
    assert not connection.is_outdated(replace(idle, active_runs=1))


def test_a_server_that_is_stopped_is_told_of_and_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(workspace) as client:
        pid = client.health().pid
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.2)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError, match="does not answer"):
            connect(workspace, timeout=0.5)
        with connect(workspace, say=lambda _: os.kill(pid, signal.SIGCONT)) as client:
            assert client.health().pid == pid
    finally:
        os.kill(pid, signal.SIGCONT)
