"""Waiting for a server that starts, and a running one of another version."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlft_tui.client import connection, start_watch
from rlft_tui.client.connection import connect
from rlft_tui.client.start_watch import await_start
from rlft_tui.errors import UnavailableError
from rlft_tui.paths import Workspace
from rlft_tui.server import main as server_main
from rlft_tui.server import workspace_server
from rlft_tui.version import VERSION
from tests.cli.run_rlft import Rlft
from tests.tui.workbench import drive, until, workbench

BUSY = "while True: pass"
OLDER = """
import sys
from rlft_tui import version
version.VERSION = "0.0.9"
from rlft_tui.server import app, health_routes, main, tune_routes
app._NOUNS = tuple(noun for noun in app._NOUNS if noun is not tune_routes)
health_routes.active_runs = lambda services: 1
sys.exit(main.main(sys.argv[1:]))
"""
"""A server as an older rlft started it: it knows no studies, and a run goes on."""


class FullDisk(io.StringIO):
    """A log on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for descriptor in (read, write):
        os.close(descriptor)


def test_a_start_is_waited_for_as_long_as_it_gets_on(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_watch, "STALLED_SECONDS", 1.0)
    monkeypatch.setattr(start_watch, "SAID_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(start_watch, "_LOOK_SECONDS", 0.02)
    ours, theirs = pipe
    said: list[str] = []
    with subprocess.Popen([sys.executable, "-c", BUSY]) as busy:
        os.write(theirs, f"pid {busy.pid}\ndoing opening the database\n".encode())
        threading.Timer(1.6, lambda: os.write(theirs, b"ready\n")).start()
        assert await_start(ours, said.append) == ""
        busy.kill()
    assert said == ["starting the workspace server: opening the database …"]


def test_a_start_that_does_nothing_is_given_up(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_watch, "STALLED_SECONDS", 0.2)
    monkeypatch.setattr(start_watch, "_LOOK_SECONDS", 0.02)
    with subprocess.Popen(["sleep", "60"]) as idle:
        os.write(pipe[1], f"pid {idle.pid}\ndoing reading the runs\n".encode())
        assert f"process {idle.pid} has done nothing" in await_start(pipe[0], lambda _: None)
        idle.kill()


def test_why_a_start_failed_is_told_where_its_log_is_on_a_full_disk(
    pipe: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(root: Path, report: object) -> None:
        raise UnavailableError("the disk is full", where=str(root))

    monkeypatch.setattr(workspace_server, "serve", serve)
    ours, theirs = pipe
    monkeypatch.setattr(sys, "stderr", FullDisk())
    assert server_main.main([str(tmp_path), "--ready-fd", str(os.dup(theirs)), "--stages"]) == 2
    assert await_start(ours, lambda _: None) == f"{tmp_path}: the disk is full"


def test_a_running_server_of_another_version_is_told_of_with_the_remedy(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(root: Path, log: int, ready: int) -> None:
        subprocess.run(
            [sys.executable, "-c", OLDER, str(root), "--detach", "--ready-fd", str(ready)],
            stdout=log,
            stderr=log,
            pass_fds=(ready,),
            check=True,
        )

    with monkeypatch.context() as before:
        before.setattr(connection, "_launch", launch)
        with connect(workspace) as old:
            assert old.health().version == "0.0.9"
    rlft = Rlft(capsys)
    listed = rlft("-w", workspace.root, "tune", "show")
    assert listed.code == 2
    first, second = listed.err.splitlines()
    remedy = f"rlft -w {workspace.root} server restart"
    assert f"the workspace server is rlft 0.0.9, this is rlft {VERSION}. {remedy}" in first
    assert "does not know this request" in second
    assert remedy in second

    async def workbench_says_it() -> None:
        async with workbench(workspace) as (app, _):
            await until(lambda: app._notifications, "a notice", app)
            (notice,) = app._notifications
            assert "rlft server restart" in notice.message

    drive(workbench_says_it)
    assert rlft.well("-w", workspace.root, "server", "restart", "--json").value["version"] == VERSION
    assert rlft.well("-w", workspace.root, "tune", "show", "--json").value == []
