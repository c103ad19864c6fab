"""Other machines: what the token opens, what stays closed, and that nothing is lost on the way."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.remote import connect_remote
from rlft_tui.client.remote_place import RemotePlace, chosen_place, remote_place
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference, Revocation
from rlft_tui.paths import Workspace
from rlft_tui.server.remote_access import RemoteToken, may_come_from_outside
from tests.conftest import add_pairs, kill_server, wait_for


@pytest.fixture
def place(client: WorkspaceClient, workspace: Workspace) -> RemotePlace:
    """The workspace, served on a free port of this machine."""
    state = client.serve_remote("127.0.0.1", 0)
    return RemotePlace(state.url, RemoteToken(workspace).text())


def ask(place: RemotePlace, verb: str, path: str, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    with httpx.Client(trust_env=False) as http:
        return http.request(verb, place.url + path, headers=headers, json={})


def test_no_port_is_open_until_it_is_asked_for(client: WorkspaceClient, workspace: Workspace) -> None:
    assert not client.remote().listening
    assert not RemoteToken(workspace).path.exists()
    state = client.serve_remote("127.0.0.1", 0)
    assert client.remote() == state
    assert client.serve_remote("127.0.0.1", state.port) == state
    with pytest.raises(ConflictError):
        client.serve_remote("127.0.0.1", state.port + 1 if state.port < 65000 else 1024)
    assert stat.S_IMODE(RemoteToken(workspace).path.stat().st_mode) == 0o600
    assert not client.end_remote().listening
    with pytest.raises(httpx.ConnectError):
        ask(RemotePlace(state.url, ""), "GET", "/api/v1/health", None)


def test_a_port_that_is_taken_is_said_so(client: WorkspaceClient, place: RemotePlace) -> None:
    client.end_remote()
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UnavailableError, match="cannot listen"):
            client.serve_remote("127.0.0.1", taken.getsockname()[1])
    assert not client.remote().listening


@pytest.mark.parametrize("token", [None, "wrong", "x" * 43])
def test_without_the_token_nothing_is_answered(
    client: WorkspaceClient, place: RemotePlace, token: str | None
) -> None:
    pair = add_pairs(client, 1)[0]
    for path in ("/api/v1/health", f"/api/v1/pairs/{pair.id}", "/docs", "/openapi.json", "/"):
        assert ask(place, "GET", path, token).status_code == 401
    assert ask(place, "POST", "/api/v1/labels", token).status_code == 401
    assert client.labels() == ()


def test_a_new_token_closes_what_the_old_one_opened(workspace: Workspace, place: RemotePlace) -> None:
    assert ask(place, "GET", "/api/v1/health", place.token).status_code == 200
    fresh = RemoteToken(workspace).text(new=True)
    assert fresh != place.token
    assert RemoteToken(workspace).text() == fresh
    assert ask(place, "GET", "/api/v1/health", place.token).status_code == 401
    assert ask(place, "GET", "/api/v1/health", fresh).status_code == 200


def test_a_token_that_others_can_read_opens_nothing(workspace: Workspace, place: RemotePlace) -> None:
    RemoteToken(workspace).path.chmod(0o644)
    os.utime(RemoteToken(workspace).path, (1, 1))
    assert ask(place, "GET", "/api/v1/health", place.token).status_code == 401
    with pytest.raises(RlftError, match="read by others"):
        RemoteToken(workspace).text()


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/shutdown"),
        ("POST", "/backups"),
        ("POST", "/datasets"),
        ("POST", "/models"),
        ("POST", "/runs"),
        ("POST", "/runs/x/stop"),
        ("POST", "/runs/x/resume"),
        ("DELETE", "/runs/x"),
        ("POST", "/inference/generate"),
        ("POST", "/remote"),
        ("DELETE", "/remote"),
        ("PUT", "/labels"),
        ("GET", "/labels/gold"),
        ("POST", "/labels/gold"),
        ("POST", "/labels/../shutdown"),
        ("POST", "/labelsandmore"),
    ],
)
def test_what_touches_the_servers_machine_is_refused(place: RemotePlace, verb: str, path: str) -> None:
    assert not may_come_from_outside(verb, f"/api/v1{path}")
    answer = ask(place, verb, f"/api/v1{path}", place.token)
    assert answer.status_code in (403, 404, 405)
    if ".." not in path:
        assert answer.status_code == 403
        assert "workspace's own machine" in answer.json()["remedy"]
    assert ask(place, "GET", "/api/v1/health", place.token).status_code == 200


def test_an_archive_sent_to_another_machine_does_not_tell_the_gold_answers(
    client: WorkspaceClient, place: RemotePlace
) -> None:
    pair = add_pairs(client, 1)[0]
    client.set_gold(pair.id, "a", "ada")
    assert b'"goldanswer"' in b"".join(client.archive())
    with connect_remote(place) as far:
        lines = b"".join(far.archive())
    assert pair.id.encode() in lines
    assert b"goldanswer" not in lines


def test_each_labeller_has_an_own_queue_and_history(client: WorkspaceClient, place: RemotePlace) -> None:
    add_pairs(client, 6)
    with connect_remote(place) as far:
        verdicts = {}
        for name, choice in (("ada", "a"), ("bob", "b")):
            (item,) = far.queue(name, limit=1).items
            verdicts[name] = Preference(new_id(), item.pair.id, name, choice)  # type: ignore[arg-type]
            far.add_label(verdicts[name])
        for name in ("ada", "bob"):
            assert [entry.operation.id for entry in far.history(name)] == [verdicts[name].id]
            assert far.queue(name, limit=0).progress.remaining == 5
        with pytest.raises(ConflictError):
            far.add_label(Revocation(new_id(), verdicts["ada"].id, "bob"))
        report = far.import_prompts("p.jsonl", b'{"prompt": "Why?"}\n')
        assert report.imported == 1
        with pytest.raises(RlftError, match="another machine"):
            far.backup()


def test_a_wrong_token_and_a_wrong_address_are_told_apart(place: RemotePlace) -> None:
    with pytest.raises(RlftError, match="token"):
        connect_remote(RemotePlace(place.url, "wrong"))
    with pytest.raises(UnavailableError, match="no answer"):
        connect_remote(RemotePlace("http://127.0.0.1:1", place.token), patience=0.1)
    assert place.token not in repr(place)


@pytest.mark.parametrize(
    "url", ["http://", "ftp://x", "http://h/path", "http://h:port", "http://u@h", "a b:c", "http://a..b:1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RlftError, match="not an address"):
        remote_place(url, "token")


@pytest.mark.parametrize("token", ["日本", "to\nken", "\x1b[31m"])
def test_what_cannot_be_a_token_is_refused_before_anything_is_sent(token: str) -> None:
    with pytest.raises(RlftError, match="no token"):
        remote_place("http://127.0.0.1:1", token)


def test_options_come_before_the_environment() -> None:
    there = {"RLFT_CONNECT": "far:1", "RLFT_TOKEN": "t"}
    assert chosen_place(None, None, {}) is None
    assert chosen_place(None, None, there) == RemotePlace("http://far:1", "t")
    assert chosen_place("https://other:2", "u", there) == RemotePlace("https://other:2", "u")
    with pytest.raises(RlftError, match="token"):
        chosen_place("far:1", None, {})


@pytest.fixture
def served(workspace: Workspace) -> Iterator[RemotePlace]:
    """``rlft serve`` in a process of its own."""
    command = [sys.executable, "-m", "rlft_tui.cli.main", "-w", str(workspace.root), "serve", "--port", "0"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            with connect(workspace) as client:
                wait_for(lambda: client.remote().listening, "the port to open")
                url = client.remote().url
            yield RemotePlace(url, RemoteToken(workspace).text())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def label_all(place: RemotePlace, name: str, done: dict[str, list[str]], errors: list[Any]) -> None:
    """A labeller who judges the queue to its end, as the label screen does."""
    try:
        with connect_remote(place, patience=60.0) as client:
            while items := client.queue(name, limit=10).items:
                for item in items:
                    one = Preference(new_id(), item.pair.id, name, "a", shown_first=item.left)
                    client.add_label(one)
                    done[name].append(one.id)
    except Exception as error:  # told by the test's own thread
        errors.append(error)


@pytest.mark.timeout(600)
def test_eight_labellers_at_once_lose_and_double_nothing_when_the_server_is_killed(
    served: RemotePlace, workspace: Workspace
) -> None:
    with connect(workspace) as local:
        pairs = {pair.id for pair in add_pairs(local, 40)}
    done: dict[str, list[str]] = {f"labeller-{n}": [] for n in range(8)}
    errors: list[Any] = []
    threads = [threading.Thread(target=label_all, args=(served, name, done, errors)) for name in done]
    for thread in threads:
        thread.start()
    for goal in (40, 120):
        wait_for(lambda goal=goal: errors or sum(map(len, done.values())) >= goal, "verdicts")  # type: ignore[misc]
        kill_server(workspace)
    for thread in threads:
        thread.join(300)
    assert errors == []
    with connect(workspace) as local:
        stored = local.labels(limit=10_000)
    assert sorted(one.id for one in stored) == sorted(id for ids in done.values() for id in ids)
    for name in done:
        assert {one.example_id for one in stored if one.labeler_id == name} == pairs
    assert len(stored) == len(pairs) * 8
    assert Path(workspace.root / "remote-token").exists()
