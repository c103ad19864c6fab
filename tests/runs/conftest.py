"""Runs that a failing test left behind are ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_process import send_signal


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """A folder for runs."""
    folder = tmp_path / "runs"
    yield folder
    end_all(folder)


@pytest.fixture(autouse=True)
def _no_orphans(tmp_path: Path) -> Iterator[None]:
    yield
    end_all(tmp_path / "workspace" / "runs")


def end_all(runs: Path) -> None:
    """Kill what still runs in these folders: keepers first, so that none waits for its job."""
    for path in runs.glob("*/attempt.json"):
        attempt = RunFolder(path.parent).read_attempt()
        if attempt is not None:
            send_signal(attempt.keeper_pid, attempt.keeper_started, signal.SIGKILL)
            send_signal(attempt.job_pid, attempt.job_started, signal.SIGKILL)
