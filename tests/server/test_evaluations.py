"""Evaluations through the server: launched, killed and gone on with, taken over, compared, shown."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.item_log import read_items
from rlft_tui.evaluations.results import read_results
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from tests.cli.run_rlft import Rlft
from tests.conftest import stop_server, wait_for
from tests.tiny_model import make_tiny_model

ITEMS = 60
SUITE = """
title = "Texts and choices"

[[task]]
name = "choices"
kind = "choice"
file = "choices.jsonl"

[[task]]
name = "words"
kind = "accuracy"
file = "words.jsonl"
extractor = "contains"
sampling = { temperature = 0.0, max_new_tokens = 8 }
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with two tiny models and suites that they are measured on; the server of all tests."""
    root = tmp_path_factory.mktemp("evaluations")
    runtime = tempfile.mkdtemp(prefix="rlft-", dir="/tmp")
    workspace = create_workspace(root / "workspace")
    workspace.settings.write_text('labeler = "ada"\nidle_minutes = 3.0\ndaily_backups = 0\nthreads = 1\n')
    suites = workspace.root / "suites"
    suites.mkdir()
    (suites / "small.toml").write_text(SUITE)
    (suites / "broken.toml").write_text("[[task]]\nname = 'x'\nkind = 'guess'\n")
    choices = [
        {"id": n, "prompt": f"Is {n} even?", "choices": ["yes", "no it is not"], "answer": n % 2}
        for n in range(ITEMS)
    ]
    lines(suites / "choices.jsonl", choices)
    lines(suites / "words.jsonl", [{"id": n, "prompt": f"Say {n}.", "answer": "e"} for n in range(ITEMS)])
    for seed, name in enumerate(("one", "two")):
        make_tiny_model(root / name, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield workspace
        stop_server(workspace)
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(scope="module")
def serving(place: Workspace) -> Iterator[WorkspaceClient]:
    with connect(place) as connected:
        for name in ("one", "two"):
            connected.add_model(Model(name, "base", str(place.root.parent / name)))
        yield connected


@pytest.fixture
def client(serving: WorkspaceClient, monkeypatch: pytest.MonkeyPatch) -> WorkspaceClient:
    """The one client; commands of a test find its server too."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(serving.socket.parent.parent))
    return serving


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def ended(client: WorkspaceClient, run_id: str) -> RunSummary:
    wait_for(lambda: client.run(run_id).status not in ACTIVE, f"{run_id} to end", 240)
    return client.run(run_id)


def launch(client: WorkspaceClient, run_id: str, **values: Any) -> RunSummary:
    return client.launch({"id": run_id, "method": "evaluate", "suite": "small", "batch_size": 2, **values})


def test_a_killed_evaluation_goes_on_with_what_is_left(place: Workspace, client: WorkspaceClient) -> None:
    launch(client, "first", model="one")
    folder = RunFolder(place.runs / "first")
    items = folder.root / "items.jsonl"
    wait_for(lambda: sum(1 for _ in read_items(items)) >= 8, "items", 240)
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.job_pid, signal.SIGKILL)
    killed = ended(client, "first")
    there = {(item.task, item.item): item for item in read_items(items)}
    assert killed.status == "killed"
    assert len(there) < 2 * ITEMS
    assert client.evaluations(model="one") == ()
    client.resume("first")
    assert ended(client, "first").status == "finished"
    lines_of = items.read_bytes().splitlines()
    whole = list(read_items(items))
    assert len(whole) == len(lines_of) == 2 * ITEMS
    assert [item for item in whole if (item.task, item.item) in there] == list(there.values())
    assert f"{len(there)} of {2 * ITEMS} items are measured already" in folder.output.read_text()
    found = {(one.task, one.metric): one for one in client.evaluations(model="one", suite="small")}
    assert set(found) == {("choices", "accuracy"), ("choices", "accuracy_norm"), ("words", "accuracy")}
    for one in found.values():
        assert one.n == ITEMS
        assert one.low is not None
        assert one.value is not None
        assert one.low <= one.value <= (one.high or 0)


def test_what_was_measured_with_the_same_settings_is_taken_over(
    place: Workspace, client: WorkspaceClient, capsys: pytest.CaptureFixture[str]
) -> None:
    launch(client, "again", model="one", batch_size=7)
    assert ended(client, "again").status == "finished"
    assert "no device" in (place.runs / "again" / "events.jsonl").read_text()
    first, again = (read_results(place.runs / name) for name in ("first", "again"))
    assert [one.value for one in again] == [one.value for one in first]
    assert {one.run_id for one in client.evaluations(model="one")} == {"again"}
    assert {one.run_id for one in client.evaluations(model="one", latest=False)} == {"first", "again"}
    client.delete_run("first")
    assert {one.run_id for one in client.evaluations(model="one", latest=False)} == {"again"}
    printed = Rlft(capsys).well("-w", place.root, "eval", "run", "small", "--model", "one", "--follow").out
    assert printed.splitlines()[0].startswith("evaluate-")
    assert "accuracy_norm" in printed
    # A folder is measured under its last part, and found under that for the report.
    folder, page = place.root.parent / "one", place.root.parent / "report.md"
    asked = ("eval", "report", "--measure", "small", "-m", folder, "--against", folder, "-o", page)
    assert Rlft(capsys).well("-w", place.root, *asked, "--json").value["models"] == ["one"]
    assert "| choices accuracy |" in page.read_text()
    there = {run.id for run in client.runs()}
    refused = Rlft(capsys)("-w", place.root, "eval", "run", "small", "-m", "one", "-m", "nobody")
    assert (refused.code, "no model called 'nobody'" in refused.err) == (2, True)
    (begun,) = (run.id for run in client.runs() if run.id not in there)
    ended(client, begun)


def test_two_processes_share_the_items_and_two_models_are_compared(
    place: Workspace, client: WorkspaceClient, capsys: pytest.CaptureFixture[str]
) -> None:
    launch(client, "shared", model="two", shards=2)
    assert ended(client, "shared").status == "finished", (place.runs / "shared" / "output.log").read_text()
    ids = [(item.task, item.item) for item in read_items(place.runs / "shared" / "items.jsonl")]
    assert len(ids) == len(set(ids)) == 2 * ITEMS
    changes = {(one.task, one.metric): one for one in client.evaluation_changes("two", "one")}
    for change in changes.values():
        assert change.n == ITEMS
        assert change.value is not None
        assert change.baseline_value is not None
        assert change.difference == pytest.approx(change.value - change.baseline_value)
        assert change.p is not None
        assert change.p_holm is not None
        assert change.p <= change.p_holm <= 1
    pairs = client.evaluation_pairs("two", "one", "choices", differing=True)
    assert all(pair.model.scores != pair.baseline.scores for pair in pairs.pairs)
    wrong = client.evaluation_items("shared", task="choices", wrong=True, limit=5)
    assert all(item.scores["accuracy"] == 0 for item in wrong.items)
    with pytest.raises(NotFoundError, match="no evaluation of a model called 'three'"):
        client.evaluation_changes("three", "one")

    rlft = Rlft(capsys)
    shown = rlft.well("-w", place.root, "eval", "show", "small", "--against", "one")
    assert "choices" in shown.out
    assert "change, 95 %" in shown.out
    listed = rlft.well("-w", place.root, "eval", "list", "--model", "two", "--json").value
    assert {row["n"] for row in listed} == {ITEMS}
    items = rlft.well("-w", place.root, "eval", "items", "shared", "--task", "words", "-n", "2")
    assert items.out.count("prompt    Say ") == 2
    assert f"2 of {ITEMS} items" in items.err
    suites = {row["name"]: row for row in rlft.well("-w", place.root, "eval", "suites", "--json").value}
    assert suites["broken"]["trouble"]
    assert suites["small"]["title"] == "Texts and choices"
    assert rlft.well("-w", place.root, "eval", "check", "small").code == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"suite": "smal"}, "Did you mean small"),
        ({"suite": "broken"}, "guess"),
        ({"model": "three"}, "no model called 'three'"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_what_cannot_be_measured_starts_nothing(
    place: Workspace, client: WorkspaceClient, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(RlftError, match=said):
        launch(client, "never", **{"model": "one", **values})
    assert not (place.runs / "never").exists()
