"""Fixtures for everybody: an isolated workspace, a real server, pairs to judge."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from rlft_tui.client import connection
from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.database.migrations import migrate
from rlft_tui.database.workspace_lock import lock_holder
from rlft_tui.errors import RlftError
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.server.server_record import read_record
from tests.warm_python import WarmPython

WAIT_SECONDS = 60.0
"""Deadline of every wait: generous, because the machine is shared and noisy."""

_launch_cold = connection._launch
_warm = WarmPython("rlft_tui.server.workspace_server")


def _launch_warm(root: Path, log: int, ready: int) -> None:
    command = connection.server_command(root, ready)
    _warm.start(*command, cwd=root, descriptors={1: log, 2: log, ready: ready}).wait(WAIT_SECONDS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Servers are forked from loaded code, except where their start is what is tested."""
    cold = item.get_closest_marker("cold_server") is not None
    connection._launch = _launch_cold if cold else _launch_warm


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Home, cache and sockets of a test are its own; no server of the user is ever reached."""
    home = tmp_path_factory.mktemp("home")
    runtime = tempfile.mkdtemp(prefix="rlft-", dir="/tmp")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("RLFT_CACHE", os.environ.get("RLFT_TEST_CACHE", str(home / "cache")))
    for name in ("RLFT_WORKSPACE", "XDG_CACHE_HOME", "NO_COLOR", "MODELS_DIR", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    yield
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A fresh workspace; a server that a test started in it is ended."""
    made = create_workspace(tmp_path / "workspace")
    made.settings.write_text('labeler = "ada"\nidle_minutes = 3.0\ndaily_backups = 0\nround_pairs = 0\n')
    yield made
    stop_server(made)


@pytest.fixture
def fresh_db() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with today's schema and no rows."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection)
    yield connection
    connection.close()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[WorkspaceClient]:
    """A client of a real server process."""
    with connect(workspace) as connected:
        yield connected


def stop_server(workspace: Workspace) -> None:
    """End the workspace's server, if one runs, and wait until it is gone."""
    pid = lock_holder(workspace.lock)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), "the server to end")


def kill_server(workspace: Workspace) -> int:
    """kill -9 the workspace's server; its pid."""
    record = read_record(workspace)
    assert record is not None, "no server is running"
    os.kill(record.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(record.pid), "the server to die")
    return record.pid


def is_alive(pid: int) -> bool:
    """False for a zombie too: who reaps it depends on the machine."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in ("Z", "X")


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Poll until the condition holds; the test fails after a generous deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.02)


def make_pairs(count: int, *, prefix: str = "pair", category: str = "") -> list[ResponsePair]:
    """Pairs p with short answers, ids ``prefix-0`` on; the a side is a model ``base``, b ``tuned``."""
    return [
        ResponsePair(
            id=f"{prefix}-{n}",
            prompt=f"Question {n} of {prefix}?",
            response_a=f"Answer A to {n}, the longer one of both.",
            response_b=f"Answer B to {n}.",
            model_a="base",
            model_b="tuned",
            category=category or ("odd" if n % 2 else "even"),
            source="test",
            created_at=1_700_000_000.0 + n,
        )
        for n in range(count)
    ]


def add_pairs(client: WorkspaceClient, count: int, *, prefix: str = "pair") -> list[ResponsePair]:
    """Store ``count`` pairs and return them."""
    pairs = make_pairs(count, prefix=prefix)
    client.add_pairs(pairs)
    return pairs


def server_is_down(client: WorkspaceClient) -> bool:
    """True once nobody answers at the client's socket."""
    with WorkspaceClient(client.socket) as probe:
        try:
            probe.health()
        except RlftError:
            return True
    return False
