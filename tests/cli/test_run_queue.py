"""The line for the device from the command line, through a real server that is killed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from rlft_tui.runs import launcher
from rlft_tui.runs.queue_place import QueuePlace
from tests.cli.run_rlft import Rlft
from tests.conftest import kill_server, wait_for
from tests.runs.conftest import end_all
from tests.runs.scripted import TRAINING, dpo_spec, start_job


@pytest.fixture(autouse=True)
def _no_orphans(workspace: Workspace) -> Iterator[None]:
    yield
    end_all(workspace.runs)


def line_up(runs: Path, *names: str) -> None:
    """Runs that wait; their model is nowhere, so that none could begin to train."""
    for order, name in enumerate(names, 1):
        data = runs.parent / "datasets"
        launcher.prepare(runs, dpo_spec(name), dataset=data, place=QueuePlace(float(order), 0, 0.0))


def test_places_are_shown_changed_held_and_survive_the_server(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    going = start_job(here.runs, TRAINING, "going")
    line_up(here.runs, "a", "b", "c")
    wait_for(lambda: client.run("going").step > 2, "the run to work")

    def waiting() -> dict[str, int]:
        runs = rlft.well("runs", "list", "--json").value
        return {run["id"]: run["queue_place"] for run in runs if run["status"] == "queued"}

    assert waiting() == {"a": 1, "b": 2, "c": 3}
    assert "queued 2" in rlft.well("runs", "list").out
    assert rlft.well("runs", "move", "c", "--first", "--json").value["queue_place"] == 1
    assert rlft.well("runs", "move", "b", "--up").out == "b  queued 2\n"
    assert rlft("runs", "move", "b").code == 2
    assert rlft("runs", "move", "b", "--up", "--first").code == 2
    assert "does not wait in line" in rlft("runs", "move", "going", "--up").err

    killed = kill_server(here)
    assert waiting() == {"c": 1, "b": 2, "a": 3}
    assert rlft.well("server", "status", "--json").value["pid"] != killed

    assert rlft.well("runs", "pause", "c").out == "c  paused\n"
    assert waiting() == {"b": 1, "a": 2}
    resumed = rlft.well("runs", "resume", "c")
    assert resumed.out == "c\n"
    assert "It waits (1 of 3 in line) and starts by itself" in resumed.err
    assert rlft.well("runs", "cancel", "b").out == "b  cancelled\n"
    assert rlft("runs", "cancel", "b").code == 2
    assert rlft.well("runs", "stop", "a", "--wait").out == "a  cancelled\n"
    assert waiting() == {"c": 1}

    shown = rlft.well("runs", "kill", "going", "--wait", "--json").value
    assert (shown["status"], shown["exit"]["reason"]) == ("killed", "killed on request")
    assert not launcher.is_active(going)
    followed = rlft("runs", "follow", "c")
    assert followed.code == 1
    assert "c  failed" in followed.err
    assert "the model base is gone" in followed.err
