"""rlft doctor on this machine, with and without a workspace."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from rlft_tui.cli.doctor.machine import check_terminal, colours
from rlft_tui.cli.doctor.packages import check_training, probe
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft


def test_doctor_works_without_a_workspace(
    rlft: Rlft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value = rlft.well("doctor", "--json").value
    assert value["ok"] is True
    assert set(value["server"]) >= {"pid", "socket", "version"}
    assert value["server"]["pid"] is None
    checks = {check["name"]: check for check in value["checks"]}
    for check in checks.values():
        assert set(check) >= {"name", "ok", "detail", "remedy"}
        assert check["detail"]
        assert check["ok"] or check["remedy"], check
    assert {"python", "disk", "gpu", "torch", "trl", "bitsandbytes", "unsloth", "workspace"} <= set(checks)
    assert ".".join(map(str, sys.version_info[:3])) in checks["python"]["detail"]
    assert "rlft init" in checks["workspace"]["remedy"]
    assert "rlft models pull" in checks["models"]["remedy"]


def test_doctor_names_the_server_and_the_holder_of_the_lock(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    health = client.health()
    value = rlft.well("doctor", "--json").value
    assert value["server"] == {"pid": health.pid, "socket": health.socket, "version": health.version}
    checks = {check["name"]: check for check in value["checks"]}
    assert str(health.pid) in checks["lock"]["detail"]
    assert "labeller ada" in checks["workspace"]["detail"]
    assert str(health.pid) in rlft.well("doctor").out


def test_doctor_does_not_start_a_server(rlft: Rlft, here: Workspace) -> None:
    assert rlft.well("doctor", "--json").value["server"]["pid"] is None
    assert not here.database.exists()


def test_a_lock_held_by_another_process_is_a_failure_with_a_remedy(rlft: Rlft, here: Workspace) -> None:
    with here.lock.open("w+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(f"{os.getpid()}\n")
        held.flush()
        outcome = rlft("doctor", "--json")
    assert outcome.code == 1
    assert outcome.value["ok"] is False
    (lock,) = (check for check in outcome.value["checks"] if check["name"] == "lock")
    assert lock["ok"] is False
    assert str(os.getpid()) in lock["remedy"]


def test_wrong_settings_and_a_missing_workspace_are_failures(
    rlft: Rlft, here: Workspace, tmp_path: Path
) -> None:
    here.settings.write_text("idle_minutes = 'soon'\n")
    outcome = rlft("doctor")
    assert outcome.code == 1
    assert "FAIL  workspace" in outcome.out
    assert "rlft.toml" in outcome.out
    assert rlft("doctor", "-w", tmp_path / "nope").code == 1


def test_a_socket_folder_that_others_may_read_is_a_failure(
    rlft: Rlft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rlft").mkdir(mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    outcome = rlft("doctor", "--json")
    assert outcome.code == 1
    (check,) = (check for check in outcome.value["checks"] if check["name"] == "sockets")
    assert "chmod 700" in check["remedy"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "16 million colours"),
        ({"TERM": "tmux-256color"}, "256 colours"),
        ({"TERM": "linux"}, "16 colours"),
        ({"TERM": "dumb"}, "no colours"),
        ({}, "no colours"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "no colours (NO_COLOR is set)"),
    ],
)
def test_colours_of_a_terminal(environment: dict[str, str], expected: str) -> None:
    assert colours(environment) == expected


def test_no_terminal_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_terminal({"TERM": "dumb"}).ok


def test_packages_are_looked_up_without_importing_them() -> None:
    before = set(sys.modules)
    checks = {check.name: check for check in check_training(deep=False)}
    stack = {"torch", "transformers", "trl", "peft", "bitsandbytes"}
    assert set(checks) == {*stack, "unsloth", "llama-cpp-python"}
    assert stack.isdisjoint(set(sys.modules) - before)


def test_a_package_that_cannot_be_imported_is_told_not_raised() -> None:
    """unsloth is not installed in the test environment: its probe fails as a broken install would."""
    check = probe("unsloth", "2026.10.7")
    assert not check.ok
    assert "No module named 'unsloth'" in check.detail
    assert check.remedy
