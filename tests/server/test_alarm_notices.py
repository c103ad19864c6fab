"""Alarms and ends of runs told outside: once, and not while they are snoozed."""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rlft_tui.cli.doctor.workspace import check_workspace
from rlft_tui.config import create_workspace, read_settings
from rlft_tui.database.connection import open_database
from rlft_tui.runs.run_status import Alert, Exit, RunSummary
from rlft_tui.server.alarm_notices import AlarmNotices
from rlft_tui.server.workspace_server import open_services
from tests.conftest import wait_for


def run(status: str = "running", *alerts: Alert, **values: object) -> RunSummary:
    given = {"id": "dpo-1", "method": "dpo", "status": status, "step": 7, "steps": 9, "model": "m",
             "dataset": "", "path": "", "created": 0.0, "alerts": alerts, **values}  # fmt: skip
    return RunSummary(**given)  # type: ignore[arg-type]


def alert(name: str, step: int, t: float) -> Alert:
    return Alert(step, t, name, f"{name} happened", "look at it")


def test_a_command_gets_each_alarm_and_each_end_once(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = tmp_path / "tell.py"
    script.write_text(
        "import os, sys\n"
        f"with open({str(told)!r}, 'a') as f:\n"
        "    f.write(os.environ['RLFT_ALARM'] + '|' + sys.argv[-1] + '\\n')\n"
    )
    notices = AlarmNotices(f"{sys.executable} {script} --flag", "")
    soon = time.time() + 1
    notices.heed(run("running", alert("old", 1, 5.0)))
    for _ in range(3):
        notices.heed(run("running", alert("old", 1, 5.0), alert("spike", 3, soon)))
    notices.heed(run("running", alert("quiet", 4, soon), snoozed={"quiet": time.time() + 60}))
    ended = run("failed", exit=Exit(1, None, "out of memory", 0.0))
    notices.heed(ended)
    notices.heed(ended)
    wait_for(lambda: told.exists() and len(told.read_text().splitlines()) >= 2, "both notices")
    assert told.read_text().splitlines() == [
        "spike|dpo-1 step 3: spike happened. look at it",
        "failed|dpo-1 step 7: out of memory",
    ]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('alarm_command = "unclosed \'quote"', "rlft.toml: alarm_command: no closing quotation"),
        ('alarm_command = "tell\\u0000me"', "rlft.toml: alarm_command: a NUL cannot stand in it"),
        ('alarm_webhook = "ntfy.sh/topic"', "rlft.toml: alarm_webhook: not an http:// or https:// address"),
        ('alarm_webhook = "http://[::1"', "rlft.toml: alarm_webhook: not an http:// or https:// address"),
        (
            'alarm_webhook = "http://a\\u0000b/"',
            "rlft.toml: alarm_webhook: a space or control character stands in it",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_and_the_server_starts(
    tmp_path: Path, setting: str, said: str
) -> None:
    workspace = create_workspace(tmp_path / "w")
    workspace.settings.write_text(setting + "\n")
    opened = open_services(workspace, read_settings(workspace.settings), open_database(workspace))
    try:
        assert said in opened.warnings
    finally:
        opened.supervisor.close()
        opened.inference.close()
        opened.labels.close()
        opened.database.close()
    found, _ = check_workspace(workspace.root)
    assert (found.ok, found.detail) == (False, said)


def test_a_webhook_gets_the_text_and_what_fails_stops_nothing() -> None:
    bodies: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            bodies.append((self.headers["Title"], self.rfile.read(size)))
            self.send_response(500 if len(bodies) == 1 else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        notices = AlarmNotices("/no/such/command", f"http://127.0.0.1:{server.server_port}/topic")
        notices.heed(run("running", alert("spike", 3, time.time() + 1)))
        notices.heed(run("running", alert("drift é", 4, time.time() + 1)))
        wait_for(lambda: len(bodies) == 2, "both")
    finally:
        server.shutdown()
        server.server_close()
    assert bodies[0] == ("rlft: spike", b"dpo-1 step 3: spike happened. look at it")
    assert bodies[1][1].decode() == "dpo-1 step 4: drift é happened. look at it"
