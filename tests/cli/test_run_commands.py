"""Runs from the command line: real keepers with small jobs, seen through a real server."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft, spawn
from tests.conftest import wait_for
from tests.runs.conftest import end_all
from tests.runs.scripted import FINISHING, TRAINING, start_job, wait_for_end

FAILING = """
start(steps=3)
print("before \\x1b[2J the fault")
log.metrics(1, {"loss": float("nan")})
log.write("error", type="ValueError", message="bad luck", traceback="ValueError: bad luck")
raise ValueError("bad luck")
"""


@pytest.fixture(autouse=True)
def _no_orphans(workspace: Workspace) -> Iterator[None]:
    yield
    end_all(workspace.runs)


def test_a_finished_run_is_shown_with_the_names_that_scripts_rely_on(rlft: Rlft, here: Workspace) -> None:
    wait_for_end(start_job(here.runs, FINISHING, "dpo-one"))
    shown = rlft.well("runs", "show", "dpo-one", "--json").value
    names = {"id", "method", "status", "step", "steps", "started", "ended", "exit", "metrics", "first"}
    assert names | {"dataset", "path"} <= set(shown)
    assert (shown["id"], shown["method"], shown["status"]) == ("dpo-one", "dpo", "finished")
    assert (shown["step"], shown["steps"]) == (3, 3)
    assert set(shown["exit"]) >= {"code", "signal", "reason"}
    assert shown["exit"]["code"] == 0
    assert (shown["first"]["loss"], shown["metrics"]["loss"]) == (2.0, 0.0)
    assert shown["path"] == str(here.runs / "dpo-one")

    series = rlft.well("runs", "show", "dpo-one", "--series", "loss", "--json").value["series"]
    assert series == [[1, 2.0], [2, 1.0], [3, 0.0]]
    assert rlft.well("runs", "show", "dpo-one", "--series", "loss").out.split()[:4] == [
        "step",
        "loss",
        "1",
        "2",
    ]
    assert rlft("runs", "show", "dpo-one", "--series", "los").code == 2

    text = rlft.well("runs", "show", "dpo-one").out
    assert "finished" in text
    assert "loss      2 → 0" in text
    assert [run["id"] for run in rlft.well("runs", "list", "--json").value] == ["dpo-one"]
    assert "dpo-one" in rlft.well("runs", "list").out


def test_a_run_is_named_by_a_beginning_that_no_other_has(rlft: Rlft, here: Workspace) -> None:
    for name in ("dpo-one", "dpo-two", "dpo-twofold"):
        wait_for_end(start_job(here.runs, FINISHING, name))
    rlft.well("runs", "tag", "dpo-o", "keep", "--note", "the first")
    shown = rlft.well("runs", "show", "dpo-on").out
    assert "tags      keep" in shown
    assert "note      the first" in shown
    assert rlft.well("runs", "show", "dpo-two", "--json").value["id"] == "dpo-two"
    compared = rlft.well("runs", "compare", "dpo-o", "dpo-twof", "--json").value
    assert compared["runs"] == ["dpo-one", "dpo-twofold"]
    assert "dpo-tw: 2 runs begin so: dpo-two, dpo-twofold" in rlft("runs", "show", "dpo-tw").err
    for named in ("dpo", "", "../runs/dpo-o", "x" * 5000):
        assert rlft("runs", "show", named).code == 2
    rlft.well("runs", "rm", "dpo-two", "--yes")
    for _ in range(2):  # a script that tries again must not take the run that begins so
        assert rlft("runs", "rm", "dpo-two", "--yes").code == 2
    assert len(rlft.well("runs", "list", "--json").value) == 2


def test_following_a_run_ends_with_its_exit_code(rlft: Rlft, here: Workspace) -> None:
    wait_for_end(start_job(here.runs, FINISHING, "dpo-good"))
    wait_for_end(start_job(here.runs, FAILING, "dpo-bad"))
    good = rlft.well("runs", "follow", "dpo-good", "--json")
    assert good.value["status"] == "finished"
    assert "dpo-good  finished  step 3/3" in good.err
    bad = rlft("runs", "follow", "dpo-bad")
    assert bad.code == 1
    assert "dpo-bad  failed" in bad.err
    assert "loss NaN" in bad.err
    assert "bad luck" in bad.err


def test_logs_are_harmless_and_can_be_cut(rlft: Rlft, here: Workspace) -> None:
    wait_for_end(start_job(here.runs, FAILING, "dpo-bad"))
    everything = rlft.well("runs", "logs", "dpo-bad").out
    assert "before" in everything
    assert "\x1b" not in everything
    assert everything.endswith("ValueError: bad luck\n")
    assert rlft.well("runs", "logs", "dpo-bad", "-n", "1").out == "ValueError: bad luck\n"
    assert rlft.well("runs", "logs", "dpo-bad", "--follow").out == everything
    assert rlft.well("runs", "logs", "dpo-bad", "--json").value["text"] == everything


def test_a_run_is_followed_while_it_works_stopped_and_resumed(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    folder = start_job(here.runs, TRAINING, "dpo-live")
    follower = spawn("runs", "follow", "dpo-live", "--json")
    wait_for(lambda: client.run("dpo-live").step > 2, "the run to work")
    assert rlft("runs", "rm", "dpo-live", "--yes").code == 2
    stopped = rlft.well("runs", "stop", "dpo-live", "--wait", "--json").value
    assert stopped["status"] == "stopped"
    assert folder.read_exit() is not None
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == 0, err
    assert json.loads(out)["status"] == "stopped"
    assert "step " in err
    assert rlft("runs", "stop", "nope").code == 2


def test_a_run_goes_on_when_its_follower_is_interrupted(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    start_job(here.runs, TRAINING, "dpo-live")
    follower = spawn("runs", "follow", "dpo-live")
    assert follower.stderr is not None
    assert "dpo-live" in follower.stderr.readline()
    follower.send_signal(signal.SIGINT)
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == 130, err
    assert out == ""
    assert err.endswith("dpo-live goes on. Stop it: rlft runs stop dpo-live\n")
    assert client.run("dpo-live").status == "running"


def test_a_run_is_deleted_only_when_that_was_meant(rlft: Rlft, here: Workspace) -> None:
    wait_for_end(start_job(here.runs, FINISHING, "dpo-one"))
    kept = rlft("runs", "rm", "dpo-one")
    assert kept.code == 2
    assert "--yes" in kept.err
    assert Path(here.runs / "dpo-one").is_dir()
    assert rlft.well("runs", "rm", "dpo-one", "--yes", "--json").value == {"deleted": "dpo-one"}
    assert not Path(here.runs / "dpo-one").exists()


def test_a_finished_runs_model_is_found_by_name(rlft: Rlft, here: Workspace) -> None:
    wait_for_end(start_job(here.runs, FINISHING, "dpo-one"))
    assert rlft.well("runs", "show", "dpo-one", "--json").value["output_model"] == "dpo-one"
    model = rlft.well("models", "show", "dpo-one", "--json").value
    assert (model["kind"], model["base"], model["run_id"]) == ("adapter", "base", "dpo-one")
    missing = rlft("models", "show", "dpo-on")
    assert missing.code == 2
    assert "Did you mean dpo-one?" in missing.err
    assert "dpo-one" in rlft.well("models", "list").out
