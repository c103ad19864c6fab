"""A dry run that is broken off at the terminal leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.paths import Workspace
from rlft_tui.server.dry_runs import TRIED
from tests.cli.run_rlft import Rlft, spawn
from tests.conftest import add_pairs, wait_for
from tests.tiny_model import make_tiny_model


def test_a_dry_run_ends_with_its_command_however_that_ends(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    rlft.well("models", "pull", make_tiny_model(tmp_path / "tiny"))
    for pair in add_pairs(client, 5):
        rlft.well("labels", "add", pair.id, "--choice", "a")
    client.build_dataset(DatasetSpec(name="first"))
    tried = here.runs / TRIED
    for number in (signal.SIGINT, signal.SIGKILL):
        command = spawn("train", "dpo", "--model", "tiny", "--dry-run")
        wait_for(lambda: _jobs(tried), "the dry run to begin", 60.0)
        command.send_signal(number)
        out, _ = command.communicate(timeout=60)
        assert (command.returncode != 0, out) == (True, "")
        wait_for(lambda: not _jobs(tried), f"its processes to be gone after {number.name}", 60.0)
        wait_for(lambda: not list(tried.iterdir()), f"its folder to be gone after {number.name}", 60.0)
    assert client.runs() == ()


def _jobs(tried: Path) -> list[int]:
    """Processes that work in a folder of a dry run."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(word.startswith(str(tried)) for word in process.info["cmdline"] or [])
    ]
